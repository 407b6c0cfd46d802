"""전체 현황: a line for each company, kept up to date beside the pages."""
