/*-------------------------------------------------------------------------
 * archive_files.h
 *		Archived partitions leave the database for files.
 *-------------------------------------------------------------------------
 */
#ifndef AT_ARCHIVE_FILES_H
#define AT_ARCHIVE_FILES_H

/* Is a legal hold about an event in this archived partition, or about one of its transactions? */
extern bool at_partition_is_held(const char *partition);

/* Register the keeper's step. */
extern void at_archive_files_init(void);

#endif
