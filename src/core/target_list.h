/*-------------------------------------------------------------------------
 * target_list.h
 *		The versions of tables that an archive has events of: their names, and the context that
 *		the server gave them, which is under no hash of the log.
 *
 * ATY1, with integers and texts as in core/body.h:
 *
 *		"ATY1" | log_id[16] | u32 targets
 *		| each: u32 target_id | i64 defined_at
 *				| text schema | text table | text resource_type | text context
 *		| SHA-256 of all before
 *
 * What is read points into the bytes. Functions allocate nothing.
 *-------------------------------------------------------------------------
 */
#ifndef AT_TARGET_LIST_H
#define AT_TARGET_LIST_H

#include "core/cold_rows.h"

/* Where it is, below the directory of an archive. */
#define AT_TARGET_LIST_PATH "segment/targets.aty"

typedef struct AtTargetList
{
	const uint8_t *log_id;
	uint32_t left;
	AtText rest;
} AtTargetList;

/* Read its head: form and checksum. AT_ERR_TARGET_LIST, AT_ERR_CHECKSUM. */
extern AtError at_target_list_read(AtTargetList *list, AtText bytes);

/* The next one, and when it was defined (microseconds since 1970); *found is false at the end. */
extern AtError at_target_list_next(AtTargetList *list, AtColdTarget *target, int64_t *defined_at,
								   bool *found);

/* Write the head, and then so many targets; whoever writes appends the checksum. Rooms: */
#define AT_TARGET_LIST_ROOM 32
#define AT_TARGET_ROOM      32 /* and what the texts need */
extern void at_target_list_write_head(AtWriter *writer, const uint8_t *log_id, uint32_t count);
extern void at_target_list_write(AtWriter *writer, const AtColdTarget *target, int64_t defined_at);

#endif
