/* SPDX-License-Identifier: MIT */
/* libempty.so: what preloading costs by itself, the measure of our own cost. */
int libempty_does_nothing;
