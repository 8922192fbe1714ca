/*-------------------------------------------------------------------------
 * state.c
 *		What the witness has accepted: a directory with a file for each log.
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/note.h"
#include "file.h"
#include "message.h"
#include "state.h"

#define NAME_MAX_BYTES (2 * AT_HASH_LEN + 16)

static void take_lock(int directory, const char *path);
static void read_log(int directory, const char *path, AtKnown *known, AtKnownLog *log);
static void name_of(const char *origin, const char *suffix, char name[NAME_MAX_BYTES]);

int
at_state_open(const char *path, AtKnown *known)
{
	int directory;

	if (mkdir(path, S_IRWXU) != 0 && errno != EEXIST)
		at_die(AT_EXIT_FAILURE, "could not make \"%s\": %s", path, strerror(errno));
	directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		at_die(AT_EXIT_FAILURE, "could not open \"%s\": %s", path, strerror(errno));
	take_lock(directory, path);
	for (int i = 0; i < known->log_count; i++)
		read_log(directory, path, known, &known->log[i]);
	return directory;
}

/* Held until the process ends, whichever way. */
static void
take_lock(int directory, const char *path)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = openat(directory, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || fcntl(fd, F_SETLK, &lock) != 0)
		at_die(AT_EXIT_FAILURE, "could not lock \"%s\": is another witness using it? %s", path,
			   strerror(errno));
}

/* A file that is damaged is no reason to begin anew: then a shorter log would be accepted. */
static void
read_log(int directory, const char *path, AtKnown *known, AtKnownLog *log)
{
	static char text[AT_NOTE_MAX];
	char name[NAME_MAX_BYTES];
	AtJudgement judgement;
	AtCheckpoint checkpoint;
	AtError error = AT_ERR_NOT_SIGNED;
	ssize_t len;
	int fd;

	name_of(log->origin, ".checkpoint", name);
	fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return;
	len = fd < 0 ? -1 : read(fd, text, sizeof(text));
	if (len < 0)
		at_die(AT_EXIT_FAILURE, "could not read \"%s/%s\": %s", path, name, strerror(errno));
	close(fd);

	judgement.note = (AtText){text, len};
	for (int i = 0; i < known->key_count && error != AT_OK; i++)
		error =
			at_checkpoint_open(&checkpoint, judgement.note, &(AtTrust){.log_key = &known->key[i]});
	if (error != AT_OK || !at_text_equal(checkpoint.origin, at_text(log->origin)))
		at_die(AT_EXIT_FAILURE, "\"%s/%s\" is not a checkpoint of \"%s\": %s", path, name,
			   log->origin, at_error_text(error));
	log->size = checkpoint.size;
	log->root = checkpoint.root;
}

bool
at_state_accept(int directory, const AtJudgement *judgement)
{
	char name[NAME_MAX_BYTES];

	name_of(judgement->log->origin, ".checkpoint", name);
	if (!at_replace_file(directory, name, judgement->note))
	{
		at_say("could not write \"%s\": %s", name, strerror(errno));
		return false;
	}
	judgement->log->size = judgement->checkpoint.size;
	judgement->log->root = judgement->checkpoint.root;
	return true;
}

void
at_state_keep_fork(int directory, const AtJudgement *judgement)
{
	char name[NAME_MAX_BYTES];

	name_of(judgement->log->origin, ".fork", name);
	if (faccessat(directory, name, F_OK, 0) == 0)
		return; /* the first is enough, and there may be many */
	if (!at_replace_file(directory, name, judgement->note))
		at_say("could not write \"%s\": %s", name, strerror(errno));
}

static void
name_of(const char *origin, const char *suffix, char name[NAME_MAX_BYTES])
{
	AtHash hash;

	if (!at_hash(origin, strlen(origin), &hash))
		at_die(AT_EXIT_FAILURE, "%s", at_error_text(AT_ERR_LIBCRYPTO));
	for (int i = 0; i < AT_HASH_LEN; i++)
		snprintf(name + 2 * i, 3, "%02x", hash.bytes[i]);
	snprintf(name + (size_t) 2 * AT_HASH_LEN, NAME_MAX_BYTES - (size_t) 2 * AT_HASH_LEN, "%s",
			 suffix);
}
