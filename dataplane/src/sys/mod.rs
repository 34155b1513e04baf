//! System calls and shared memory: the only `unsafe` of the project.
