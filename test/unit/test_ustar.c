/*-------------------------------------------------------------------------
 * test_ustar.c
 *		Archives: written, read, and with anything changed, refused.
 *-------------------------------------------------------------------------
 */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/ustar.h"

static char archive[8192];
static size_t archive_len;

static AtError read_all(AtText text, int *files);

static void
make_archive(void)
{
	AtWriter writer = at_writer(archive, sizeof(archive));
	static char content[AT_USTAR_BLOCK + 1];

	memset(content, 'c', sizeof(content));
	check(at_ustar_add(&writer, at_text("empty"), at_text("")) == AT_OK &&
			  at_ustar_add(&writer, at_text("tx/7/1.body"), at_text("one")) == AT_OK &&
			  at_ustar_add(&writer, at_text("whole"), (AtText){content, AT_USTAR_BLOCK}) == AT_OK &&
			  at_ustar_add(&writer, at_text("x"), (AtText){content, sizeof(content)}) == AT_OK &&
			  at_ustar_end(&writer) == AT_OK,
		  "an archive is written");
	archive_len = writer.len;
	check(archive_len == AT_USTAR_LEN(0) + AT_USTAR_LEN(3) + AT_USTAR_LEN(512) + AT_USTAR_LEN(513) +
							 AT_USTAR_END,
		  "as long as it was said to be");
}

static void
test_read(void)
{
	AtText rest = {archive, archive_len};
	AtText name;
	AtText content;

	check(at_ustar_next(&rest, &name, &content) == AT_OK && at_text_equal(name, at_text("empty")) &&
			  content.len == 0,
		  "its files are read");
	check(at_ustar_next(&rest, &name, &content) == AT_OK &&
			  at_text_equal(name, at_text("tx/7/1.body")) && at_text_equal(content, at_text("one")),
		  "one after the other");
	check(at_ustar_next(&rest, &name, &content) == AT_OK && content.len == 512 &&
			  at_ustar_next(&rest, &name, &content) == AT_OK && content.len == 513,
		  "also those that fill a block");
	check(at_ustar_next(&rest, &name, &content) == AT_OK && name.data == NULL && rest.len == 0,
		  "and the end");
	check(at_ustar_next(&rest, &name, &content) == AT_ERR_USTAR, "behind it there is nothing");
}

/* tar is of another opinion only if this is no ustar. */
static void
test_tar(void)
{
	char path[] = "/tmp/test_ustar.XXXXXX";
	char command[100];
	FILE *tar = NULL;
	char listed[400] = "";
	int file = mkstemp(path);
	FILE *stream = file < 0 ? NULL : fdopen(file, "w");

	if (stream != NULL && fwrite(archive, 1, archive_len, stream) == archive_len &&
		fclose(stream) == 0)
	{
		snprintf(command, sizeof(command), "TZ=UTC tar -tvf %s 2>&1", path);
		tar = popen(command, "r");
		listed[fread(listed, 1, sizeof(listed) - 1, tar)] = '\0';
		pclose(tar);
	}
	remove(path);
	check(strcmp(listed, "-rw-r--r-- 0/0               0 1970-01-01 00:00 empty\n"
						 "-rw-r--r-- 0/0               3 1970-01-01 00:00 tx/7/1.body\n"
						 "-rw-r--r-- 0/0             512 1970-01-01 00:00 whole\n"
						 "-rw-r--r-- 0/0             513 1970-01-01 00:00 x\n") == 0,
		  "tar lists the same files");
}

static void
test_damage(void)
{
	int accepted = 0;
	int files;

	for (size_t bit = 0; bit < 8 * archive_len; bit++)
	{
		archive[bit / 8] ^= (char) (1 << bit % 8);
		accepted += read_all((AtText){archive, archive_len}, &files) == AT_OK;
		archive[bit / 8] ^= (char) (1 << bit % 8);
	}
	check(accepted == 8 * (3 + 512 + 513), "a flipped bit is found, unless it is one of a content");

	accepted = 0;
	for (size_t cut = 0; cut < archive_len; cut++)
		accepted += read_all((AtText){archive, cut}, &files) == AT_OK;
	check(accepted == 0, "cut off anywhere it is refused");
	check(read_all((AtText){archive, archive_len}, &files) == AT_OK && files == 4,
		  "unharmed it is read");
	check(read_all((AtText){archive, archive_len + 1}, &files) == AT_ERR_USTAR,
		  "with a byte behind it, it is not");
}

static void
test_bounds(void)
{
	static char name[AT_USTAR_NAME_MAX + 1];
	uint8_t block[AT_USTAR_BLOCK];
	AtWriter writer = at_writer(archive, 100);
	AtText rest;
	AtText found;
	AtText content;

	memset(name, 'n', sizeof(name));
	check(at_ustar_header(block, (AtText){name, AT_USTAR_NAME_MAX}, AT_USTAR_SIZE_MAX) == AT_OK,
		  "the longest name and the largest size have a header");
	check(at_ustar_header(block, (AtText){name, sizeof(name)}, 0) == AT_ERR_USTAR,
		  "a longer name has none");
	check(at_ustar_header(block, at_text("n"), AT_USTAR_SIZE_MAX + 1) == AT_ERR_USTAR,
		  "nor a larger size");
	check(at_ustar_header(block, at_text(""), 0) == AT_ERR_USTAR, "nor no name");
	check(at_ustar_header(block, (AtText){"a\0b", 3}, 0) == AT_ERR_USTAR,
		  "nor a name with a zero byte");
	check(at_ustar_add(&writer, at_text(""), at_text("")) == AT_ERR_USTAR &&
			  at_ustar_add(&writer, at_text("a"), at_text("")) == AT_ERR_NO_ROOM &&
			  at_ustar_end(&writer) == AT_ERR_NO_ROOM,
		  "nothing is written without a name, or without room");

	writer = at_writer(archive, sizeof(archive));
	at_ustar_add(&writer, (AtText){name, AT_USTAR_NAME_MAX}, at_text("x"));
	rest = (AtText){archive, writer.len + AT_USTAR_END};
	check(at_ustar_next(&rest, &found, &content) == AT_OK && found.len == AT_USTAR_NAME_MAX,
		  "the longest name is read");
}

int
main(void)
{
	make_archive();
	test_read();
	test_tar();
	test_damage();
	test_bounds();
	return check_done();
}

static AtError
read_all(AtText text, int *files)
{
	AtText name = {"", 0};
	AtText content;
	AtError error = AT_OK;

	*files = -1;
	while (error == AT_OK && name.data != NULL)
	{
		error = at_ustar_next(&text, &name, &content);
		(*files)++;
	}
	return error;
}
