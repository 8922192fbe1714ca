/*-------------------------------------------------------------------------
 * directory.h
 *		All that is in a directory, and in the directories in it.
 *-------------------------------------------------------------------------
 */
#ifndef AT_DIRECTORY_H
#define AT_DIRECTORY_H

#include <stdbool.h>

/* So deep are directories entered; a deeper one is told as no file. */
#define AT_DIRECTORY_DEPTH 2

/*
 * Takes what was found, by its path below the directory: a regular file, or
 * something else, such as a link. False ends the walk.
 */
typedef bool (*AtDirectoryFound)(void *arg, const char *path, bool is_file);

/* In no order. Links are not followed. at_fatal() if something cannot be read. */
extern bool at_directory_walk(const char *directory, AtDirectoryFound found, void *arg);

#endif
