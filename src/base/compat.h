/*-------------------------------------------------------------------------
 * compat.h
 *		Differences between PostgreSQL 15 and 18, under the newest API's name.
 *
 * The only file that may test PG_VERSION_NUM.
 *-------------------------------------------------------------------------
 */
#ifndef AT_COMPAT_H
#define AT_COMPAT_H

#if PG_VERSION_NUM < 150000
#error "audit_trail needs PostgreSQL 15 or newer"
#endif

#endif
