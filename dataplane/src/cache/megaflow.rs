//! Megaflows: decisions with the mask of the bits that decided them.
