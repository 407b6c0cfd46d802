"""Pages by what they are about: each module names its addresses, and draws with what `Pages` gives all of them."""
