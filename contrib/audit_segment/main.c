/*-------------------------------------------------------------------------
 * main.c
 *		audit_segment: reads files of archived segments, without a server.
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "core/hash.h"

#define FILE_MAX ((size_t) 4 << 30)

static const char help[] =
	"audit_segment reads a file of archived segments of audit_trail, without a server.\n"
	"\n"
	"Usage:\n"
	"  audit_segment [--print] FILE\n"
	"\n"
	"Options:\n"
	"  --print      print its rows, a JSON object a line\n"
	"  --version    print the version, then exit\n"
	"  --help       print this, then exit\n"
	"\n"
	"Exit status: 0 if the file is whole, 1 if it is not, 2 if that could not be found out.\n"
	"It proves nothing about the rows: audit_verify does, by the proof beside the file.\n";

static int
fatal(const char *what, const char *path)
{
	fprintf(stderr, "audit_segment: error: could not %s \"%s\": %s\n", what, path, strerror(errno));
	return AT_UNKNOWN;
}

static int
read_file(const char *path, AtText *bytes)
{
	FILE *file = fopen(path, "rb");
	struct stat status;
	char *data;

	if (file == NULL || fstat(fileno(file), &status) != 0)
		return fatal("open", path);
	if (!S_ISREG(status.st_mode) || (uint64_t) status.st_size > FILE_MAX)
	{
		fclose(file);
		fprintf(stderr, "audit_segment: error: \"%s\" is no file that can be read whole\n", path);
		return AT_UNKNOWN;
	}
	data = malloc((size_t) status.st_size + 1);
	if (data == NULL)
	{
		fclose(file);
		return fatal("read", path);
	}
	bytes->data = data;
	bytes->len = fread(data, 1, (size_t) status.st_size, file);
	fclose(file);
	if (bytes->len == (size_t) status.st_size)
		return AT_WHOLE;
	free(data);
	return fatal("read", path);
}

int
main(int argc, char **argv)
{
	bool prints = argc > 1 && strcmp(argv[1], "--print") == 0;
	const char *path = argv[argc - 1];
	AtText bytes;
	int status;

	if (argc == 2 && strcmp(path, "--help") == 0)
		return fputs(help, stdout) < 0 ? AT_UNKNOWN : AT_WHOLE;
	if (argc == 2 && strcmp(path, "--version") == 0)
		return puts("audit_segment (audit_trail) " AT_VERSION) < 0 ? AT_UNKNOWN : AT_WHOLE;
	if (argc != (prints ? 3 : 2) || path[0] == '-')
	{
		fputs("Try \"audit_segment --help\" for more information.\n", stderr);
		return AT_UNKNOWN;
	}
	if (!at_hash_init())
	{
		fputs("audit_segment: error: libcrypto does not compute SHA-256\n", stderr);
		return AT_UNKNOWN;
	}
	status = read_file(path, &bytes);
	if (status == AT_WHOLE)
	{
		status = at_check_file(path, bytes, prints);
		free((char *) bytes.data);
	}
	return fflush(stdout) != 0 ? AT_UNKNOWN : status;
}
