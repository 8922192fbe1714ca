/*-------------------------------------------------------------------------
 * doctor_archive.c
 *		audit.doctor(): the check of the cold archive.
 *
 * Whether files are there and long enough, or stored elsewhere, and no more: what is
 * in them audit.verify() looks at.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/stat.h>
#include <unistd.h>

#include "storage/fd.h"
#include "utils/builtins.h"

#include "base/guc.h"
#include "guard/doctor.h"
#include "ledger/cold_file.h"
#include "ledger/cold_leftover.h"

#define FILES_REMEDY "Restore the files from their backup, below audit_trail.archive_directory."

/* Files that audit.segment names. */
typedef struct Files
{
	uint64 all;
	uint64 lost;   /* neither here nor known to be elsewhere */
	uint64 stored; /* elsewhere: of these */
	uint64 away;   /* not here */
	char *first_lost;

	/* in the directory besides */
	uint64 gone;  /* markers of files that are to be removed elsewhere */
	uint64 loose; /* files to which nothing leads */
	char *first_loose;
} Files;

static void count_files(Files *files);
static void look_around(Files *files);
static void report_here(const AtDoctor *doctor, const char *name, const Files *files);

void
at_doctor_archive(const AtDoctor *doctor, const char *name)
{
	Files files = {.all = at_doctor_query("SELECT s.file, pg_catalog.max(s.file_offset "
										  "OPERATOR(pg_catalog.+) s.stored_bytes) "
										  "FROM audit.segment AS s WHERE s.file IS NOT NULL "
										  "GROUP BY s.file ORDER BY s.file")};

	if (files.all > 0 && at_guc_archive_directory[0] == '\0')
	{
		at_doctor_report(doctor, name, PROBLEM, AT_DOCTOR_SET("audit_trail.archive_directory"),
						 UINT64_FORMAT " files have archived segments, and where is not set.",
						 files.all);
		return;
	}
	count_files(&files);
	look_around(&files);
	if (files.lost > 0)
		at_doctor_report(doctor, name, PROBLEM, FILES_REMEDY,
						 UINT64_FORMAT " of " UINT64_FORMAT
									   " files with archived segments are missing or too short, "
									   "the first is \"%s\".",
						 files.lost, files.all, files.first_lost);
	else if (files.away > 0 && at_guc_restore_command[0] == '\0')
		at_doctor_report(doctor, name, PROBLEM, AT_DOCTOR_SET("audit_trail.restore_command"),
						 UINT64_FORMAT " files with archived segments are elsewhere only, and "
									   "audit_trail.restore_command is not set.",
						 files.away);
	else
		report_here(doctor, name, &files);
}

static void
count_files(Files *files)
{
	for (uint64 i = 0; i < files->all; i++)
	{
		const char *file = at_doctor_field(i, 1);
		char *path = at_cold_file_path(file, "");
		bool is_stored = at_cold_file_exists(file, AT_FILE_DONE);
		struct stat status;

		files->stored += is_stored;
		if (stat(path, &status) == 0 && status.st_size >= pg_strtoint64(at_doctor_field(i, 2)))
			continue;
		if (is_stored && access(path, F_OK) != 0)
			files->away++;
		else if (files->lost++ == 0)
			files->first_lost = path;
	}
}

/* Nothing is lost. */
static void
report_here(const AtDoctor *doctor, const char *name, const Files *files)
{
	if (files->loose > 0)
		at_doctor_report(doctor, name, WARN,
						 "SELECT audit.keeper_now(); removes those of this database. Look whose "
						 "the others are.",
						 UINT64_FORMAT " files are in audit_trail.archive_directory that "
									   "audit.segment does not name, the first is \"%s\": what is "
									   "in them may have been purged.",
						 files->loose, files->first_loose);
	else if (at_guc_archive_command[0] != '\0' && files->stored < files->all)
		at_doctor_report(doctor, name, WARN,
						 "Mend what the server log says of the command, then: SELECT "
						 "audit.keeper_now();",
						 UINT64_FORMAT
						 " of " UINT64_FORMAT
						 " files with archived segments are not stored elsewhere yet.",
						 files->all - files->stored, files->all);
	else if (files->gone > 0)
		at_doctor_report(doctor, name, WARN, AT_DOCTOR_SET("audit_trail.archive_remove_command"),
						 UINT64_FORMAT " files are stored elsewhere of which something was purged.",
						 files->gone);
	else if (files->stored > 0)
		at_doctor_report(doctor, name, OK, NULL,
						 UINT64_FORMAT " files have archived segments, " UINT64_FORMAT
									   " of them are stored elsewhere, " UINT64_FORMAT
									   " elsewhere only.",
						 files->all, files->stored, files->away);
	else if (files->all > 0)
		at_doctor_report(doctor, name, OK, NULL,
						 UINT64_FORMAT " files with archived segments are there.", files->all);
	else
		at_doctor_report(doctor, name, OK, NULL, "No archived segment is in a file.");
}

static bool
has_end(const char *name, const char *end)
{
	size_t len = strlen(name);

	return len > strlen(end) && strcmp(name + len - strlen(end), end) == 0;
}

static bool
is_named(const Files *files, const char *file)
{
	for (uint64 i = 0; i < files->all; i++)
		if (strcmp(at_doctor_field(i, 1), file) == 0)
			return true;
	return false;
}

/* A file that is being made now is taken for one to which nothing leads. */
static void
look_around(Files *files)
{
	DIR *directory;
	struct dirent *entry;

	if (at_guc_archive_directory[0] == '\0')
		return;
	directory = AllocateDir(at_guc_archive_directory);
	if (directory == NULL)
		return;
	while ((entry = ReadDirExtended(directory, at_guc_archive_directory, LOG)) != NULL)
	{
		const char *file = entry->d_name;

		files->gone += has_end(file, AT_FILE_GONE);
		if (!has_end(file, AT_FILE_PART) &&
			(!has_end(file, AT_COLD_FILE_END) || is_named(files, file)))
			continue;
		if (files->loose++ == 0)
			files->first_loose = pstrdup(file);
	}
	FreeDir(directory);
}
