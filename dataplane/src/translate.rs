//! Walks the flow tables for one packet: key in, decision and un-wildcarded mask out.
