/*-------------------------------------------------------------------------
 * corrupt.c
 *		For tests: a bundle with bits flipped and worse, which must never be
 *		valid.
 *
 *			corrupt ARCHIVE VKEY FOLDER ARCHIVE_STEP FILE_STEP COUNT
 *
 * 1. Each ARCHIVE_STEP-th bit of the archive is flipped, and each FILE_STEP-th
 *    of its files in a directory, FOLDER; the part that it is in must be named.
 * 2. COUNT random corruptions of the archive, and
 * 3. as many of one of its files, with MANIFEST written for them.
 *
 * The corruptions are the same in each run. One that takes longer than
 * SECONDS ends the program.
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/ustar.h"
#include "message.h"
#include "test/sample.h"

#define SECONDS   20
#define FAULT_MAX 300
#define GROWTH    600 /* longest piece that is put in */

/* xorshift64* */
static uint64_t state = UINT64_C(0x9e3779b97f4a7c15);

static void flip_archive(Sample *sample, size_t step);
static const char *part_at(const Sample *sample, size_t place, size_t *len);
static void flip_files(const Sample *sample, const char *folder, size_t step);
static size_t flip_file(const Sample *sample, size_t file, const char *folder, size_t step,
						size_t *unnamed);
static void write_files(const Sample *sample, const char *folder);
static char *path_in(const char *folder, AtText path);
static void write_file(const char *path, AtText content);
static bool names(const char *fault, AtText path);
static void corrupt_archive(const Sample *sample, size_t count);
static void corrupt_files(const Sample *sample, size_t count);
static AtText corrupted(AtText text);
static void change(char *data, size_t *len);
static uint64_t next_random(void);
static size_t below(size_t limit);
static void say(const char *what, size_t tried, size_t wrong);

static int test_number;

int
main(int argc, char **argv)
{
	Sample sample;
	size_t count;

	if (argc != 7)
		return EXIT_FAILURE;
	count = strtoul(argv[6], NULL, 10);
	at_sample_read(&sample, argv[1], argv[2]);
	flip_archive(&sample, strtoul(argv[4], NULL, 10));
	flip_files(&sample, argv[3], strtoul(argv[5], NULL, 10));
	corrupt_archive(&sample, count);
	corrupt_files(&sample, count);
	at_sample_free(&sample);
	printf("1..%d\n", test_number);
	return EXIT_SUCCESS;
}

/* Within a file it is the file that is named, else the archive or a name that has become another.
 */
static void
flip_archive(Sample *sample, size_t step)
{
	char *data = (char *) sample->archive.data;
	char *copy = at_alloc(sample->archive.len);
	AtText changed = {copy, sample->archive.len};
	size_t tried = 0;
	size_t unnamed = 0;

	memcpy(copy, data, changed.len);
	for (size_t bit = 0; bit < 8 * changed.len; bit += step)
	{
		char fault[FAULT_MAX];
		size_t len;
		const char *part = part_at(sample, bit / 8, &len);

		alarm(SECONDS);
		copy[bit / 8] ^= (char) (1 << bit % 8);
		if (at_sample_verify(sample, changed, fault, sizeof(fault)))
			abort();
		copy[bit / 8] ^= (char) (1 << bit % 8);
		tried++;
		if (fault[0] == '\0' || (part != NULL && !names(fault, (AtText){part, len})))
		{
			printf("# bit %zu: %s\n", bit, fault);
			unnamed++;
		}
	}
	free(copy);
	say("a bit of the archive flipped: not valid, and the part is named", tried, unnamed);
}

/* The path of the file whose content has this byte; NULL of MANIFEST, and between files. */
static const char *
part_at(const Sample *sample, size_t place, size_t *len)
{
	for (size_t i = 1; i < sample->count; i++)
	{
		size_t start = (size_t) (sample->content[i].data - sample->archive.data);

		*len = sample->path[i].len;
		if (place >= start && place < start + sample->content[i].len)
			return sample->path[i].data;
	}
	return NULL;
}

static void
flip_files(const Sample *sample, const char *folder, size_t step)
{
	char fault[FAULT_MAX];
	size_t tried = 0;
	size_t unnamed = 0;

	write_files(sample, folder);
	if (!at_sample_verify_directory(sample, folder, fault, sizeof(fault)))
		at_fatal("the directory is not valid: %s", fault);
	for (size_t i = 0; i < sample->count; i++)
		tried += flip_file(sample, i, folder, step, &unnamed);
	say("a bit of a file flipped: not valid, and the file is named", tried, unnamed);
}

static size_t
flip_file(const Sample *sample, size_t file, const char *folder, size_t step, size_t *unnamed)
{
	AtText content = sample->content[file];
	char *path = path_in(folder, sample->path[file]);
	char *copy = at_alloc(content.len);
	size_t tried = 0;

	memcpy(copy, content.data, content.len);
	for (size_t bit = 0; bit < 8 * content.len; bit += step)
	{
		char fault[FAULT_MAX];

		alarm(SECONDS);
		copy[bit / 8] ^= (char) (1 << bit % 8);
		write_file(path, (AtText){copy, content.len});
		if (at_sample_verify_directory(sample, folder, fault, sizeof(fault)))
			abort();
		copy[bit / 8] ^= (char) (1 << bit % 8);
		tried++;

		/* a line of MANIFEST names another file, or has another hash */
		if (fault[0] == '\0' || (file != 0 && !names(fault, sample->path[file])))
		{
			printf("# bit %zu of %s: %s\n", bit, path, fault);
			(*unnamed)++;
		}
	}
	write_file(path, content);
	free(copy);
	free(path);
	return tried;
}

static void
write_files(const Sample *sample, const char *folder)
{
	for (size_t i = 0; i < sample->count; i++)
	{
		char *path = path_in(folder, sample->path[i]);

		for (char *slash = strchr(path + strlen(folder) + 1, '/'); slash != NULL;
			 slash = strchr(slash + 1, '/'))
		{
			*slash = '\0';
			if (mkdir(path, 0777) != 0 && errno != EEXIST)
				at_fatal("could not create directory \"%s\": %s", path, strerror(errno));
			*slash = '/';
		}
		write_file(path, sample->content[i]);
		free(path);
	}
}

static char *
path_in(const char *folder, AtText path)
{
	size_t size = strlen(folder) + path.len + 2;
	char *whole = at_alloc(size);

	snprintf(whole, size, "%s/%.*s", folder, (int) path.len, path.data);
	return whole;
}

static void
write_file(const char *path, AtText content)
{
	FILE *file = fopen(path, "wb");

	if (file == NULL || fwrite(content.data, 1, content.len, file) != content.len ||
		fclose(file) != 0)
		at_fatal("could not write file \"%s\": %s", path, strerror(errno));
}

static bool
names(const char *fault, AtText path)
{
	return strncmp(fault, path.data, path.len) == 0 && fault[path.len] == ':';
}

static void
corrupt_archive(const Sample *sample, size_t count)
{
	size_t same = 0;

	for (size_t i = 0; i < count; i++)
	{
		AtText changed = corrupted(sample->archive);

		alarm(SECONDS);
		same += at_sample_verify(sample, changed, NULL, 0);
		free((char *) changed.data);
	}
	say("random corruptions of the archive: none is valid", count, same);
}

static void
corrupt_files(const Sample *sample, size_t count)
{
	size_t same = 0;

	for (size_t i = 0; i < count; i++)
	{
		size_t file = 1 + below(sample->count - 1);
		AtText changed = corrupted(sample->content[file]);
		AtText forged = at_sample_forge(sample, file, changed);

		alarm(SECONDS);
		same += at_sample_verify(sample, forged, NULL, 0);
		free((char *) forged.data);
		free((char *) changed.data);
	}
	say("random corruptions of files, with MANIFEST for them: none is valid", count, same);
}

/* One to eight changes, which together are one; the caller frees it. */
static AtText
corrupted(AtText text)
{
	size_t changes = 1 + below(below(4) == 0 ? 8 : 1);
	char *data = at_alloc(text.len + changes * GROWTH);
	size_t len;

	do
	{
		memcpy(data, text.data, text.len);
		len = text.len;
		for (size_t i = 0; i < changes; i++)
			change(data, &len);
	} while (at_text_equal((AtText){data, len}, text));
	return (AtText){data, len};
}

static void
change(char *data, size_t *len)
{
	size_t place = below(*len + 1);
	size_t rest = *len - place;
	size_t piece = below(4) == 0 ? below(GROWTH) : 1 + below(4);
	size_t from = below(*len + 1);

	if (piece > rest)
		piece = rest;
	if (piece > *len - from)
		piece = *len - from;
	switch (below(7))
	{
		case 0: /* a bit */
			if (rest > 0)
				data[place] ^= (char) (1 << below(8));
			break;
		case 1: /* a byte */
			if (rest > 0)
				data[place] = (char) next_random();
			break;
		case 2: /* a piece, of noise */
			for (size_t i = 0; i < piece; i++)
				data[place + i] = (char) next_random();
			break;
		case 3: /* a piece, from elsewhere */
			memmove(data + place, data + from, piece);
			break;
		case 4: /* a piece, taken out */
			memmove(data + place, data + place + piece, rest - piece);
			*len -= piece;
			break;
		case 5: /* a piece, put in twice */
			memmove(data + place + piece, data + place, rest);
			*len += piece;
			break;
		default: /* the end */
			*len = place;
			break;
	}
}

static uint64_t
next_random(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * UINT64_C(0x2545f4914f6cdd1d) >> 32;
}

static size_t
below(size_t limit)
{
	return (size_t) (next_random() % limit);
}

static void
say(const char *what, size_t tried, size_t wrong)
{
	alarm(0);
	printf("%sok %d - %s\n# %zu tried\n", wrong == 0 ? "" : "not ", ++test_number, what, tried);
	fflush(stdout);
}
