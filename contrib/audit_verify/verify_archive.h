/*-------------------------------------------------------------------------
 * verify_archive.h
 *		Verifies an archive, as audit.export_archive() writes it: all that a
 *		log has sealed.
 *
 * All events, transactions, sessions and entries are read and hashed. One
 * segment is in memory at a time. Files that the archive does not have are
 * not looked at.
 *-------------------------------------------------------------------------
 */
#ifndef AT_VERIFY_ARCHIVE_H
#define AT_VERIFY_ARCHIVE_H

#include "kept.h"

extern void at_verify_archive(AtResult *result, const char *directory, const AtUserTrust *trust,
							  const AtKept *kept);

#endif
