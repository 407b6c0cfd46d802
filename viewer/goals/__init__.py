"""KPI 관리: baselines, targets and weights as they were promised, agreed and changed."""
