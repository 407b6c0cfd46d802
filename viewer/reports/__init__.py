"""Reports that are handed in: made once as data, drawn the same as a page, as a workbook and as a PDF."""
