/*-------------------------------------------------------------------------
 * store_files.h
 *		Files with archived segments are stored elsewhere, by the commands of the
 *		configuration.
 *-------------------------------------------------------------------------
 */
#ifndef AT_STORE_FILES_H
#define AT_STORE_FILES_H

/* Register the keeper's step, behind the one that makes the files. */
extern void at_store_files_init(void);

#endif
