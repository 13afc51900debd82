/* SPDX-License-Identifier: MIT */
/* Will what is preloaded reach a command? As far as its file tells. */
#ifndef CLI_REACH_H
#define CLI_REACH_H

#include <stdbool.h>
#include <stddef.h>

/*
 * What to preload: the library beside the command, in the tree or where it was
 * installed. If it is installed for several architectures, the path has $LIB in
 * the place where each program's loader puts the name of its own.
 */
bool reach_library(char *path, size_t size);

/* The file that execvp(3) would run for @command. */
bool reach_find(const char *command, char *path, size_t size);

/* Why no preload will be in the program at @path; NULL if nothing is known. */
const char *reach_objection(const char *path);

/* The same, of another build than @library is made for. */
const char *reach_misfit(const char *path, const char *library);

/* Is @path a script? Then @interpreter is the program that runs. */
bool reach_script(const char *path, char *interpreter, size_t size);

#endif
