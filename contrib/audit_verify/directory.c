/*-------------------------------------------------------------------------
 * directory.c
 *		All that is in a directory, and in the directories in it.
 *-------------------------------------------------------------------------
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "directory.h"
#include "message.h"

typedef struct Walk
{
	const char *directory;
	AtDirectoryFound found;
	void *arg;
} Walk;

static bool walk(const Walk *way, const char *below, int depth);
static bool visit(const Walk *way, const char *path, int depth);
static char *join(const char *directory, const char *name);

bool
at_directory_walk(const char *directory, AtDirectoryFound found, void *arg)
{
	return walk(&(Walk){directory, found, arg}, "", 0);
}

/* What is in the directory of this path below the first one. */
static bool
walk(const Walk *way, const char *below, int depth)
{
	char *whole = join(way->directory, below);
	DIR *open = opendir(whole);
	struct dirent *entry;
	bool goes_on = true;

	if (open == NULL)
		at_fatal("could not open directory \"%s\": %s", whole, strerror(errno));
	while (goes_on && (errno = 0, entry = readdir(open)) != NULL)
	{
		char *path;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		path = join(below, entry->d_name);
		goes_on = visit(way, path, depth);
		free(path);
	}
	if (entry == NULL && errno != 0)
		at_fatal("could not read directory \"%s\": %s", whole, strerror(errno));
	closedir(open);
	free(whole);
	return goes_on;
}

static bool
visit(const Walk *way, const char *path, int depth)
{
	char *whole = join(way->directory, path);
	struct stat status;

	if (lstat(whole, &status) != 0)
		at_fatal("could not stat file \"%s\": %s", whole, strerror(errno));
	free(whole);
	if (S_ISDIR(status.st_mode) && depth < AT_DIRECTORY_DEPTH)
		return walk(way, path, depth + 1);
	return way->found(way->arg, path, S_ISREG(status.st_mode));
}

static char *
join(const char *directory, const char *name)
{
	size_t size = strlen(directory) + strlen(name) + 2;
	char *path = at_alloc(size);

	snprintf(path, size, "%s%s%s", directory, directory[0] != '\0' && name[0] != '\0' ? "/" : "",
			 name);
	return path;
}
