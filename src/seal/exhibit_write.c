/*-------------------------------------------------------------------------
 * exhibit_write.c
 *		The files of a bundle of evidence, in a directory or in an archive.
 *
 * They are made one after the other, in the order of their paths, and hashed
 * while they are written. The manifest comes first in an archive: room is
 * left for it, since its length is known.
 *
 * A directory is written aside, with a name of its own, put on disk, and
 * renamed when the bundle is on record. An error removes what there is of it.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cryptohash.h"
#include "common/sha2.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "base/debug_point.h"
#include "base/key_file.h"
#include "core/evidence_path.h"
#include "core/manifest.h"
#include "core/ustar.h"
#include "ledger/datum.h"
#include "seal/exhibit.h"

/* A file that is to be written. */
typedef struct Part
{
	char path[AT_EVIDENCE_PATH_MAX + 1];
	AtEvidencePart part;
	const void *source; /* what it is made of: depends on the part */
	AtHash hash;
} Part;

typedef struct Writing
{
	const AtExhibit *exhibit;
	AtExhibitFiles *files;
	AtEvidence evidence;
	AtEventProof example;

	size_t file_count;
	Part *file;

	/* the file that is being written */
	pg_cryptohash_ctx *hash;
	char *path; /* in a directory */
	int fd;
	size_t header; /* place of its header in an archive */
	const char *name;
	uint64 len;
} Writing;

static void make_evidence(Writing *writing);
static void list_files(Writing *writing);
static void add_file(Writing *writing, AtEvidencePath path, const void *source);
static int compare_files(const void *a, const void *b);
static void write_all(Writing *writing);
static void write_file(Writing *writing, Part *file);
static void write_manifest(Writing *writing);
static void render(Writing *writing, AtError (*function)(AtOutput *, const AtEvidence *));
static void write_leaf_proof(Writing *writing, const AtExhibitLeaf *leaf);
static void make_leaf_proof(const Writing *writing, const AtExhibitLeaf *leaf, AtEventProof *proof);
static void write_entry_proof(Writing *writing, const AtExhibitEntry *entry);
static void begin(Writing *writing, const char *path);
static bool take(void *writing, AtText piece);
static void end(Writing *writing, AtHash *hash);
static void reserve(AtExhibitFiles *files, uint64 len);

pg_noreturn static void
fail(const char *what, const char *path)
{
	ereport(ERROR, (errcode_for_file_access(), errmsg("could not %s \"%s\": %m", what, path),
					errdetail("No evidence was exported: what was written has been removed."),
					errhint("Mend the cause, and try again.")));
}

pg_noreturn static void
refuse(const char *directory, const char *detail, const char *hint)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("cannot export evidence to directory \"%s\"", directory),
					errdetail("%s", detail), errhint("%s", hint)));
}

static void
demand(AtError error)
{
	if (error != AT_OK)
		elog(ERROR, "could not write evidence: %s", at_error_text(error));
}

void
at_exhibit_files_check(AtExhibitFiles *files, const char *directory)
{
	char *path = pstrdup(directory);
	char parent[MAXPGPATH];
	struct stat status;
	bool inside;

	canonicalize_path(path);
	if (!is_absolute_path(path))
		refuse(directory, "The server would look for it in its data directory.",
			   "Name an absolute path.");
	if (strlen(path) + AT_EVIDENCE_PATH_MAX + 30 >= MAXPGPATH)
		refuse(directory, "Its path is too long.", "Name a directory with a shorter path.");
	strlcpy(parent, path, sizeof(parent));
	get_parent_directory(parent);
	if (!at_path_is_in_data(parent, &inside))
		fail("examine directory", parent);
	if (inside)
		refuse(directory, "It would be in the data directory.", "Name a place outside of it.");
	if (lstat(path, &status) == 0)
		refuse(directory, "It is there already, and evidence is never written over.",
			   "Name one that is not there yet.");
	files->directory = path;
	files->aside = psprintf("%s.partial-%d", path, MyProcPid);
}

void
at_exhibit_files_open(const AtExhibitFiles *files)
{
	if (files->directory != NULL && mkdir(files->aside, S_IRWXU) != 0)
		fail("make directory", files->aside);
}

void
at_exhibit_write(const AtExhibit *exhibit, AtExhibitFiles *files)
{
	Writing *writing = palloc0(sizeof(Writing));

	writing->exhibit = exhibit;
	writing->files = files;
	make_evidence(writing);
	demand(at_evidence_check(&writing->evidence));
	list_files(writing);
	initStringInfo(&files->archive);
	write_all(writing);
}

void
at_exhibit_files_remove(int code, Datum arg)
{
	const AtExhibitFiles *files = (const AtExhibitFiles *) DatumGetPointer(arg);

	if (files->directory != NULL)
		(void) rmtree(files->aside, true);
}

/* What is rendered. */
static void
make_evidence(Writing *writing)
{
	const AtExhibit *exhibit = writing->exhibit;
	AtEvidenceEvent *event =
		palloc_extended(sizeof(AtEvidenceEvent) * exhibit->selected_count, MCXT_ALLOC_HUGE);
	AtEvidenceTransaction *transaction = palloc_extended(
		sizeof(AtEvidenceTransaction) * exhibit->transaction_count, MCXT_ALLOC_HUGE);
	AtEvidenceEntry *entry = palloc(sizeof(AtEvidenceEntry) * exhibit->entry_count);
	const AtExhibitLeaf *example = NULL;

	for (size_t i = 0; i < exhibit->leaf_count; i++)
	{
		const AtExhibitLeaf *leaf = &exhibit->leaf[i];

		if (leaf->ordinal == AT_EXHIBIT_TRANSACTION)
			continue;
		event[leaf->selected] = (AtEvidenceEvent){leaf->ordinal, leaf->body};
		if (leaf->selected == 0)
			example = leaf;
	}
	for (size_t i = 0; i < exhibit->transaction_count; i++)
		transaction[i] = (AtEvidenceTransaction){
			.tx_id = exhibit->transaction[i].tx_id,
			.log_index = exhibit->transaction[i].log_index,
			.body = exhibit->transaction[i].body,
			.event_count = exhibit->transaction[i].event_count,
			.event = event + exhibit->transaction[i].first_event,
		};
	for (size_t i = 0; i < exhibit->entry_count; i++)
		entry[i] = (AtEvidenceEntry){exhibit->entry[i].log_index, exhibit->entry[i].body};

	writing->evidence = (AtEvidence){
		.checkpoint = exhibit->note,
		.keys = {exhibit->keys.data, exhibit->keys.len},
		.stamp_count = exhibit->stamp_count,
		.stamp = exhibit->stamp,
		.entry_count = exhibit->entry_count,
		.entry = entry,
		.transaction_count = exhibit->transaction_count,
		.transaction = transaction,
		.session_count = exhibit->session_count,
		.session = exhibit->session,
		.example = &writing->example,
	};
	make_leaf_proof(writing, example, &writing->example);
}

/* All but the manifest. */
static void
list_files(Writing *writing)
{
	const AtExhibit *exhibit = writing->exhibit;

	writing->file =
		palloc_extended(sizeof(Part) * (5 + exhibit->stamp_count + 2 * exhibit->entry_count +
										2 * exhibit->leaf_count + exhibit->session_count),
						MCXT_ALLOC_HUGE);
	for (AtEvidencePart part = AT_EVIDENCE_README; part <= AT_EVIDENCE_KEYS; part++)
		add_file(writing, (AtEvidencePath){.part = part}, NULL);
	for (size_t i = 0; i < exhibit->stamp_count; i++)
		add_file(writing,
				 (AtEvidencePath){.part = AT_EVIDENCE_STAMP, .name = exhibit->stamp[i].name},
				 &exhibit->stamp[i].response);
	for (size_t i = 0; i < exhibit->entry_count; i++)
	{
		const AtExhibitEntry *entry = &exhibit->entry[i];

		add_file(writing, (AtEvidencePath){.part = AT_EVIDENCE_ENTRY, .number = entry->log_index},
				 &entry->body);
		add_file(writing,
				 (AtEvidencePath){.part = AT_EVIDENCE_ENTRY_PROOF, .number = entry->log_index},
				 entry);
	}
	for (size_t i = 0; i < exhibit->session_count; i++)
		add_file(writing,
				 (AtEvidencePath){.part = AT_EVIDENCE_SESSION, .number = exhibit->session[i].tx_id},
				 &exhibit->session[i].body);
	for (size_t i = 0; i < exhibit->leaf_count; i++)
	{
		const AtExhibitLeaf *leaf = &exhibit->leaf[i];
		bool is_event = leaf->ordinal != AT_EXHIBIT_TRANSACTION;
		AtEvidencePath path = {.part = is_event ? AT_EVIDENCE_EVENT : AT_EVIDENCE_TRANSACTION,
							   .number = leaf->tx_id,
							   .ordinal = leaf->ordinal};

		add_file(writing, path, &leaf->body);
		path.part = is_event ? AT_EVIDENCE_EVENT_PROOF : AT_EVIDENCE_TRANSACTION_PROOF;
		add_file(writing, path, leaf);
	}
	qsort(writing->file, writing->file_count, sizeof(Part), compare_files);
}

static void
add_file(Writing *writing, AtEvidencePath path, const void *source)
{
	Part *file = &writing->file[writing->file_count++];
	AtWriter writer = at_writer(file->path, AT_EVIDENCE_PATH_MAX);

	at_evidence_path_write(&writer, &path);
	file->path[writer.len] = '\0';
	file->part = path.part;
	file->source = source;
}

static int
compare_files(const void *a, const void *b)
{
	return strcmp(((const Part *) a)->path, ((const Part *) b)->path);
}

static void
write_all(Writing *writing)
{
	AtExhibitFiles *files = writing->files;
	bool is_archive = files->directory == NULL;
	uint64 manifest_len = 0;

	writing->hash = pg_cryptohash_create(PG_SHA256);
	for (size_t i = 0; i < writing->file_count; i++)
		manifest_len += 2 * AT_HASH_LEN + 3 + strlen(writing->file[i].path);
	if (is_archive)
	{
		/* room for the length of the datum, and for the first file */
		reserve(files, VARHDRSZ + AT_USTAR_LEN(manifest_len));
		memset(files->archive.data, 0, VARHDRSZ + AT_USTAR_LEN(manifest_len));
		files->archive.len = VARHDRSZ + AT_USTAR_LEN(manifest_len);
	}
	for (size_t i = 0; i < writing->file_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		write_file(writing, &writing->file[i]);
	}
	write_manifest(writing);
	if (is_archive)
	{
		reserve(files, AT_USTAR_END);
		memset(files->archive.data + files->archive.len, 0, AT_USTAR_END);
		files->archive.len += AT_USTAR_END;
		SET_VARSIZE(files->archive.data, files->archive.len);
	}
	pg_cryptohash_free(writing->hash);
	at_debug_point("evidence-written");
}

static void
write_file(Writing *writing, Part *file)
{
	begin(writing, file->path);
	switch (file->part)
	{
		case AT_EVIDENCE_README:
			render(writing, at_evidence_write_readme);
			break;
		case AT_EVIDENCE_REPORT:
			render(writing, at_evidence_write_report);
			break;
		case AT_EVIDENCE_EVENTS:
			render(writing, at_evidence_write_events);
			break;
		case AT_EVIDENCE_CHECKPOINT:
			(void) take(writing, writing->evidence.checkpoint);
			break;
		case AT_EVIDENCE_KEYS:
			(void) take(writing, writing->evidence.keys);
			break;
		case AT_EVIDENCE_ENTRY_PROOF:
			write_entry_proof(writing, file->source);
			break;
		case AT_EVIDENCE_TRANSACTION_PROOF:
		case AT_EVIDENCE_EVENT_PROOF:
			write_leaf_proof(writing, file->source);
			break;
		default:
			(void) take(writing, *(const AtText *) file->source);
	}
	end(writing, &file->hash);
}

/* The last file that is written; in an archive it goes where room was left. */
static void
write_manifest(Writing *writing)
{
	AtExhibitFiles *files = writing->files;
	int len = files->archive.len;

	if (files->directory == NULL)
		files->archive.len = VARHDRSZ;
	begin(writing, "MANIFEST");
	for (size_t i = 0; i < writing->file_count; i++)
	{
		char line[AT_MANIFEST_LINE_MAX];
		AtWriter writer = at_writer(line, sizeof(line));

		at_manifest_write_line(&writer, &writing->file[i].hash, at_text(writing->file[i].path));
		(void) take(writing, (AtText){line, writer.len});
	}
	end(writing, &files->manifest);
	files->archive.len = Max(len, files->archive.len);
}

static void
render(Writing *writing, AtError (*function)(AtOutput *, const AtEvidence *))
{
	AtOutput output;

	at_output_start(&output, take, writing);
	demand(function(&output, &writing->evidence));
}

static void
write_leaf_proof(Writing *writing, const AtExhibitLeaf *leaf)
{
	AtEventProof *proof = palloc(sizeof(AtEventProof));
	size_t room;
	size_t size;
	char *buffer;
	char *bytes;
	AtWriter writer;

	make_leaf_proof(writing, leaf, proof);
	room = AT_EVENT_PROOF_ROOM(proof->body.len, proof->entry.len);
	size = AT_TLOG_PROOF_HEAD_MAX + room + proof->log.checkpoint.len;
	buffer = palloc_extended(room, MCXT_ALLOC_HUGE);
	bytes = palloc_extended(size, MCXT_ALLOC_HUGE);
	writer = at_writer(bytes, size);
	demand(at_event_proof_write(&writer, proof, buffer, room));
	(void) take(writing, (AtText){writer.data, writer.len});
	pfree(bytes);
	pfree(buffer);
	pfree(proof);
}

static void
make_leaf_proof(const Writing *writing, const AtExhibitLeaf *leaf, AtEventProof *proof)
{
	const AtExhibit *exhibit = writing->exhibit;
	const AtExhibitEntry *entry = bsearch(&leaf->log_index, exhibit->entry, exhibit->entry_count,
										  sizeof(AtExhibitEntry), at_exhibit_compare);

	*proof = (AtEventProof){
		.body = leaf->body,
		.number = leaf->number,
		.path.count = leaf->path_count,
		.entry = entry->body,
		.log = {.index = entry->log_index, .proof = entry->proof, .checkpoint = exhibit->note},
	};
	memcpy(proof->path.hash, leaf->path, sizeof(AtHash) * leaf->path_count);
}

static void
write_entry_proof(Writing *writing, const AtExhibitEntry *entry)
{
	AtTlogProof proof = {
		.index = entry->log_index, .proof = entry->proof, .checkpoint = writing->exhibit->note};
	size_t size = AT_TLOG_PROOF_HEAD_MAX + proof.checkpoint.len;
	char *bytes = palloc(size);
	AtWriter writer = at_writer(bytes, size);

	demand(at_tlog_proof_write(&writer, &proof));
	(void) take(writing, (AtText){writer.data, writer.len});
	pfree(bytes);
}

/* Begin a file. Directories are made on the way, in the order of paths. */
static void
begin(Writing *writing, const char *path)
{
	AtExhibitFiles *files = writing->files;

	if (pg_cryptohash_init(writing->hash) < 0)
		at_hash_failed();
	writing->len = 0;
	writing->name = path;
	if (files->directory == NULL)
	{
		reserve(files, AT_USTAR_BLOCK);
		writing->header = files->archive.len;
		files->archive.len += AT_USTAR_BLOCK;
		return;
	}
	writing->path = psprintf("%s/%s", files->aside, path);
	for (char *slash = writing->path + strlen(files->aside) + 1;
		 (slash = strchr(slash, '/')) != NULL; slash++)
	{
		*slash = '\0';
		if (mkdir(writing->path, 0755) != 0 && errno != EEXIST)
			fail("make directory", writing->path);
		*slash = '/';
	}
	writing->fd =
		OpenTransientFilePerm(writing->path, O_WRONLY | O_CREAT | O_EXCL | PG_BINARY, 0644);
	if (writing->fd < 0)
		fail("make file", writing->path);
}

/* An AtOutputTake. */
static bool
take(void *taker, AtText piece)
{
	Writing *writing = taker;
	AtExhibitFiles *files = writing->files;

	if (piece.len == 0)
		return true;
	CHECK_FOR_INTERRUPTS();
	if (pg_cryptohash_update(writing->hash, (const uint8 *) piece.data, piece.len) < 0)
		at_hash_failed();
	writing->len += piece.len;
	if (files->directory == NULL)
	{
		reserve(files, piece.len);
		memcpy(files->archive.data + files->archive.len, piece.data, piece.len);
		files->archive.len += piece.len;
		return true;
	}
	while (piece.len > 0)
	{
		errno = 0;

		ssize_t written = write(writing->fd, piece.data, piece.len);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
		{
			errno = errno ? errno : ENOSPC;
			fail("write file", writing->path);
		}
		piece = (AtText){piece.data + written, piece.len - written};
	}
	return true;
}

static void
end(Writing *writing, AtHash *hash)
{
	AtExhibitFiles *files = writing->files;

	if (pg_cryptohash_final(writing->hash, hash->bytes, sizeof(hash->bytes)) < 0)
		at_hash_failed();
	if (files->directory == NULL)
	{
		uint64 padding = AT_USTAR_LEN(writing->len) - AT_USTAR_BLOCK - writing->len;
		const char *name = writing->name;

		demand(at_ustar_header((uint8 *) files->archive.data + writing->header, at_text(name),
							   writing->len));
		reserve(files, padding);
		memset(files->archive.data + files->archive.len, 0, padding);
		files->archive.len += padding;
		return;
	}
	if (CloseTransientFile(writing->fd) != 0)
		fail("close file", writing->path);
	pfree(writing->path);
}

/* Room in the archive, which must stay a value. */
static void
reserve(AtExhibitFiles *files, uint64 len)
{
	if (len >= MaxAllocSize - files->archive.len)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("the evidence is too large for one value"),
						errdetail("An archive has less than a gigabyte."),
						errhint("Name a directory for it, or select fewer events.")));
	enlargeStringInfo(&files->archive, len);
}

/* What was written is on disk before it gets its name. */
void
at_exhibit_files_publish(AtExhibitFiles *files)
{
	struct stat status;
	int fd;

	if (files->directory == NULL)
		return;
	fd = OpenTransientFile(files->aside, O_RDONLY | PG_BINARY);
	if (fd < 0 || (enableFsync && syncfs(fd) != 0))
		fail("sync directory", files->aside);
	CloseTransientFile(fd);
	at_debug_point("evidence-synced");
	if (lstat(files->directory, &status) == 0)
		refuse(files->directory, "Somebody has made it meanwhile.", "Try again with another one.");
	if (rename(files->aside, files->directory) != 0)
		fail("rename directory", files->aside);
	if (!at_sync_directory_of(files->directory))
		fail("sync the parent of directory", files->directory);
}
