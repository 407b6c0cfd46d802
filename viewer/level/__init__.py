"""수준 자가점검: what the product can show for each level of a smart factory. Pure; a certificate it is not."""
