//! ICMP "fragmentation needed" and ICMPv6 "packet too big" for frames that a tunnel cannot carry.
