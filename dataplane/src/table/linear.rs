//! A linear table: the oracle of the property tests.
