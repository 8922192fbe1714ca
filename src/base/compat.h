/*-------------------------------------------------------------------------
 * compat.h
 *		Differences between PostgreSQL 15 and 18, under the newest API's name,
 *		and between systems.
 *
 * The only file that may test PG_VERSION_NUM.
 *-------------------------------------------------------------------------
 */
#ifndef AT_COMPAT_H
#define AT_COMPAT_H

#if PG_VERSION_NUM < 150000
#error "audit_trail needs PostgreSQL 15 or newer"
#endif

/* Where a file system cannot be synced alone, all of them are. */
#ifndef HAVE_SYNCFS
#define syncfs(fd) ((void) (fd), sync(), 0)
#endif

/* 16 asks for the owner of any object with one function, and finds backends by an index. */
#if PG_VERSION_NUM < 160000
#define pgstat_get_local_beentry_by_index(i) pgstat_fetch_stat_local_beentry(i)
#define object_ownercheck(classid, objectid, roleid)                                               \
	((void) (classid), pg_database_ownercheck((objectid), (roleid)))
#endif

/* 17 lets the caller provide the lexer's memory. */
#if PG_VERSION_NUM < 170000
#define makeJsonLexContextCstringLen(lex, json, len, encoding, need_escapes)                       \
	makeJsonLexContextCstringLen((json), (len), (encoding), (need_escapes))
#endif

#endif
