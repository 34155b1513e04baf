//! OpenFlow's structures and the packet path's, one made of the other.
