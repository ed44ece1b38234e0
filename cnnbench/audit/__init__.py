"""How are tables read that cnnbench did not make? `report.analysis.audit` judges them."""
