/*-------------------------------------------------------------------------
 * file.c
 *		Files that have to be there after a crash.
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "file.h"

static bool write_whole(int fd, const char *bytes, size_t len);
static bool sync_directory(const char *path);
static bool sync_entry(const char *path);
static bool end_line(int fd);

bool
at_file_read(const char *path, char *buffer, size_t max)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t got = 0;

	if (fd < 0)
		return false;
	while (len < max && (got = read(fd, buffer + len, max - len)) > 0)
		len += (size_t) got;
	close(fd);
	if (len == max)
		errno = EFBIG;
	if (got < 0 || len == max)
		return false;
	buffer[len] = '\0';
	return true;
}

bool
at_file_replace(const char *directory, const char *name, const char *bytes)
{
	char path[PATH_MAX];
	char new_path[PATH_MAX];
	int fd;
	bool done;

	(void) snprintf(path, sizeof(path), "%s/%s", directory, name);
	(void) snprintf(new_path, sizeof(new_path), "%s/%s.new", directory, name);
	fd = open(new_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	done = write_whole(fd, bytes, strlen(bytes)) && fsync(fd) == 0;
	if (close(fd) != 0)
		done = false;
	return done && rename(new_path, path) == 0 && sync_directory(directory);
}

/*
 * What a crash cut off in the middle stays as a line of its own: the reader sees
 * that it is no JSON, and the whole line comes after it.
 */
bool
at_file_append(const char *path, const char *line)
{
	int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	size_t len = strlen(line);
	struct iovec parts[] = {{(void *) (size_t) line, len}, {(void *) (size_t) "\n", 1}};
	struct stat status;
	ssize_t written;
	bool is_new;
	bool done;

	if (fd < 0)
		return false;
	is_new = fstat(fd, &status) != 0 || status.st_size == 0;
	done = end_line(fd);
	if (done)
	{
		written = writev(fd, parts, 2);
		done = written == (ssize_t) len + 1;
		if (!done && written >= 0)
			errno = ENOSPC;
	}
	done = done && fsync(fd) == 0 && (!is_new || sync_entry(path));
	if (close(fd) != 0)
		done = false;
	return done;
}

/* The folder that a file is in: without it a crash of the machine may leave no file. */
static bool
sync_entry(const char *path)
{
	char folder[PATH_MAX];
	char *slash;

	(void) snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (slash == NULL)
		return sync_directory(".");
	slash[slash == folder ? 1 : 0] = '\0';
	return sync_directory(folder);
}

static bool
end_line(int fd)
{
	off_t end = lseek(fd, 0, SEEK_END);
	char last = '\n';

	if (end <= 0 || pread(fd, &last, 1, end - 1) != 1 || last == '\n')
		return true;
	return write_whole(fd, "\n", 1);
}

static bool
write_whole(int fd, const char *bytes, size_t len)
{
	while (len > 0)
	{
		ssize_t written = write(fd, bytes, len);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return false;
		bytes += written;
		len -= (size_t) written;
	}
	return true;
}

static bool
sync_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool done;

	if (fd < 0)
		return false;
	done = fsync(fd) == 0;
	close(fd);
	return done;
}

bool
at_file_make_directory(const char *path)
{
	return mkdir(path, 0700) == 0 || errno == EEXIST;
}

bool
at_file_hold(const char *path)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	/* it stays open: the lock ends with the process */
	return fd >= 0 && fcntl(fd, F_SETLK, &whole) == 0;
}
