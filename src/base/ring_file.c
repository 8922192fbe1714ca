/*-------------------------------------------------------------------------
 * ring_file.c
 *		The file that the ring's memory is a mapping of.
 *
 * Invariant: whoever trusts the file has made sure that its pages are of one
 * time. While the operating system runs they are, as all who map it see the
 * same memory, and whoever dies leaves there what it wrote. The head has the id of the run of the
 * operating system, so a file from before is known. When the postmaster ends
 * in order, it writes all out and says so in the head; it takes that back before the file is used.
 *
 * A copy is known by the number of its inode.
 *
 * Caveat: a snapshot of the whole file system by other means keeps that number. If it is
 * of one moment, it is the same cluster after a crash, and its ring and trail belong together; if
 *it is recovered as a backup, a file or signal in the data directory says so.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/xlog.h"
#include "common/file_perm.h"
#include "miscadmin.h"
#include "port/pg_crc32c.h"
#include "storage/fd.h"
#include "storage/ipc.h"

#include "base/compat.h"
#include "base/ring_file.h"

#define MAGIC "audit_trail ring 1"

#define HEAD_SIZE 4096

/* An id of the run of the operating system, where it has one. */
#define BOOT_ID "/proc/sys/kernel/random/boot_id"

typedef struct Head
{
	/* written when the file is made, or opened */
	char magic[24];
	uint64 system_identifier;
	uint64 inode;
	char boot_id[48]; /* empty: not known */
	pg_crc32c crc;    /* of what is before */

	/* one byte each, changed alone */
	bool written_out; /* all of it is on disk, and nobody has it open */
	bool follows;     /* it is of a server that recovers or follows another */
} Head;

/* What is mapped; set in the postmaster, inherited by everyone. */
static struct
{
	Head *head; /* NULL: nothing */
	Size size;  /* of the mapping, head included */
} mapped;

static void map(int fd, Size size);
static bool is_readable(int fd, struct stat *status);
static const char *find_doubt(const struct stat *status, bool follows);
static void claim(const struct stat *status);
static void make(Size size, AtRingFile *file);
static void rename_aside(const char *reason, AtRingAside *aside);
static void write_out(int code, Datum arg);

pg_noreturn static void
fail(const char *what)
{
	ereport(FATAL,
			(errcode_for_file_access(), errmsg("could not %s \"%s\": %m", what, AT_RING_FILE),
			 errhint("The file has audit_trail.ring_size bytes.")));
	pg_unreachable();
}

/* Does this server start to recover from a backup, or to follow another one? */
static bool
is_following(void)
{
	static const char *const signs[] = {STANDBY_SIGNAL_FILE, RECOVERY_SIGNAL_FILE,
										BACKUP_LABEL_FILE};
	struct stat status;

	for (int i = 0; i < lengthof(signs); i++)
		if (stat(signs[i], &status) == 0)
			return true;
	return false;
}

static void
read_boot_id(char id[48])
{
	int fd = open(BOOT_ID, O_RDONLY);
	ssize_t got = fd >= 0 ? read(fd, id, 47) : 0;

	memset(id + Max(got, 0), 0, 48 - Max(got, 0));
	if (fd >= 0)
		close(fd);
}

void
at_ring_file_open(Size size, AtRingFile *file, AtRingAside *aside)
{
	struct stat status;
	int fd = open(AT_RING_FILE, O_RDWR | PG_BINARY | O_CLOEXEC, 0);
	bool follows = is_following();

	memset(aside, 0, sizeof(*aside));
	if (mapped.head == NULL)
		on_proc_exit(write_out, 0);
	if (fd < 0 && errno != ENOENT)
		fail("open");
	if (fd >= 0 && is_readable(fd, &status))
	{
		*file = (AtRingFile){.was = status.st_size - HEAD_SIZE};
		file->size = Max(size, file->was);
		map(fd, HEAD_SIZE + file->size);
		file->area = (char *) mapped.head + HEAD_SIZE;
		file->doubt = find_doubt(&status, follows);
		claim(&status);
		mapped.head->follows = follows;
		return;
	}
	if (fd >= 0)
	{
		close(fd);
		rename_aside("its head is damaged", aside);
	}
	make(size, file);
}

void
at_ring_file_replace(Size size, const char *reason, AtRingFile *file, AtRingAside *aside)
{
	rename_aside(reason, aside);
	make(size, file);
}

/* A new, empty file. */
static void
make(Size size, AtRingFile *file)
{
	struct stat status;
	int fd =
		open(AT_RING_FILE, O_RDWR | O_CREAT | O_EXCL | PG_BINARY | O_CLOEXEC, pg_file_create_mode);

	if (fd < 0)
		fail("create");
	map(fd, HEAD_SIZE + size);
	if (stat(AT_RING_FILE, &status) != 0)
		fail("stat");
	strlcpy(mapped.head->magic, MAGIC, sizeof(mapped.head->magic));
	mapped.head->system_identifier = GetSystemIdentifier();
	claim(&status);
	mapped.head->follows = is_following();
	*file = (AtRingFile){.area = (char *) mapped.head + HEAD_SIZE, .size = size};
}

/* All of it has its place on disk: else a write to memory could meet a full one. Closes fd. */
static void
map(int fd, Size size)
{
	int error = posix_fallocate(fd, 0, size);

	if (mapped.head != NULL)
		munmap(mapped.head, mapped.size);
	mapped.head = NULL;
	if (error != 0)
	{
		errno = error;
		fail("allocate");
	}
	mapped.head = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mapped.head == MAP_FAILED)
		fail("map");
	mapped.size = size;
	close(fd);
}

static pg_crc32c
head_crc(const Head *head)
{
	pg_crc32c crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, head, offsetof(Head, crc));
	FIN_CRC32C(crc);
	return crc;
}

/* Is it a file of ours, as we wrote it? */
static bool
is_readable(int fd, struct stat *status)
{
	Head head;

	return fstat(fd, status) == 0 && status->st_size > HEAD_SIZE &&
		   read(fd, &head, sizeof(Head)) == sizeof(Head) &&
		   strncmp(head.magic, MAGIC, sizeof(head.magic)) == 0 && head.crc == head_crc(&head);
}

static const char *
find_doubt(const struct stat *status, bool follows)
{
	const Head *head = mapped.head;
	char boot_id[sizeof(head->boot_id)];

	read_boot_id(boot_id);
	if (head->system_identifier != GetSystemIdentifier())
		return "it belongs to another cluster";
	if (head->inode != status->st_ino)
		return "it is a copy";
	if (follows && !head->follows)
		return "the server recovers from a backup or follows another one";
	if (!head->written_out &&
		(boot_id[0] == '\0' || memcmp(boot_id, head->boot_id, sizeof(boot_id)) != 0))
		return "it was in use when the operating system went down";
	return NULL;
}

/* From now on it is in use here and now, which must be on disk before it changes. */
static void
claim(const struct stat *status)
{
	Head *head = mapped.head;

	head->inode = status->st_ino;
	read_boot_id(head->boot_id);
	head->crc = head_crc(head);
	head->written_out = false;
	if (msync(head, HEAD_SIZE, MS_SYNC) != 0)
		fail("sync");
}

/* The first name that is free. */
static void
rename_aside(const char *reason, AtRingAside *aside)
{
	struct stat status;

	for (int i = 1;; i++)
	{
		snprintf(aside->file, sizeof(aside->file), AT_RING_FILE ".aside.%d", i);
		if (stat(aside->file, &status) != 0)
			break;
	}
	strlcpy(aside->reason, reason, sizeof(aside->reason));
	if (rename(AT_RING_FILE, aside->file) != 0)
		fail("rename");
	ereport(LOG, (errmsg("file \"%s\" is set aside: %s", AT_RING_FILE, reason),
				  errdetail("Its name is now \"%s\".", aside->file),
				  errhint("It may have records of reads, sessions and refusals that are in no "
						  "trail.")));
}

void
at_ring_file_truncate(Size size, AtRingFile *file)
{
	if (truncate(AT_RING_FILE, HEAD_SIZE + size) != 0)
		fail("truncate");
	mapped.size = HEAD_SIZE + size;
	file->size = size;
}

void
at_ring_file_leads(void)
{
	if (mapped.head->follows && !RecoveryInProgress())
		mapped.head->follows = false;
}

/* When the postmaster ends, after all others. */
static void
write_out(int code, Datum arg)
{
	if (IsUnderPostmaster || mapped.head == NULL || msync(mapped.head, mapped.size, MS_SYNC) != 0)
		return;
	mapped.head->written_out = true;
	(void) msync(mapped.head, HEAD_SIZE, MS_SYNC);
}
