/*-------------------------------------------------------------------------
 * doctor_archive.c
 *		audit.doctor(): the check of the cold archive.
 *
 * Whether files are there and long enough, and no more: what is in them
 * audit.verify() looks at.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/stat.h>

#include "utils/builtins.h"

#include "base/guc.h"
#include "guard/doctor.h"

#define FILES_REMEDY "Restore the files from their backup, below audit_trail.archive_directory."

void
at_doctor_archive(const AtDoctor *doctor, const char *name)
{
	uint64 files = at_doctor_query(
		"SELECT s.file, pg_catalog.max(s.file_offset OPERATOR(pg_catalog.+) s.stored_bytes) "
		"FROM audit.segment AS s WHERE s.file IS NOT NULL GROUP BY s.file ORDER BY s.file");
	uint64 lost = 0;
	char *first = NULL;

	if (files > 0 && at_guc_archive_directory[0] == '\0')
	{
		at_doctor_report(
			doctor, name, PROBLEM, "Set audit_trail.archive_directory in the configuration file.",
			UINT64_FORMAT " files have archived segments, and where is not set.", files);
		return;
	}
	for (uint64 i = 0; i < files; i++)
	{
		char *path = psprintf("%s/%s", at_guc_archive_directory, at_doctor_field(i, 1));
		struct stat status;

		if (stat(path, &status) == 0 && status.st_size >= pg_strtoint64(at_doctor_field(i, 2)))
			continue;
		if (lost++ == 0)
			first = path;
	}
	if (lost > 0)
		at_doctor_report(doctor, name, PROBLEM, FILES_REMEDY,
						 UINT64_FORMAT " of " UINT64_FORMAT
									   " files with archived segments are missing or too short, "
									   "the first is \"%s\".",
						 lost, files, first);
	else if (files > 0)
		at_doctor_report(doctor, name, OK, NULL,
						 UINT64_FORMAT " files with archived segments are there.", files);
	else
		at_doctor_report(doctor, name, OK, NULL, "No archived segment is in a file.");
}
