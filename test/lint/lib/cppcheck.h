/*
 * What cppcheck is told of PostgreSQL: the macros that would otherwise not parse. It does not read
 * PostgreSQL's headers; that takes minutes and finds only faults of theirs.
 */
#define PG_MODULE_MAGIC
#define PG_FUNCTION_INFO_V1(name) extern int pg_finfo_##name(void)
#define PG_FUNCTION_ARGS          FunctionCallInfo fcinfo
#define PGDLLEXPORT
#define FLEXIBLE_ARRAY_MEMBER
#define lengthof(array) (sizeof(array) / sizeof((array)[0]))
#define pg_noinline
#define pg_attribute_always_inline
#define pg_attribute_noreturn() __attribute__((noreturn))
#define pg_attribute_printf(format, first)
#define StaticAssertDecl(condition, message) extern int at_unused
#define INT64_FORMAT                         "%lld"
#define UINT64_FORMAT                        "%llu"
#define PG_TRY()                                                                                   \
	if (at_try())                                                                                  \
	{
#define PG_CATCH()                                                                                 \
	}                                                                                              \
	else                                                                                           \
	{
#define PG_FINALLY()                                                                               \
	}                                                                                              \
	{
#define PG_END_TRY()  }
#define PG_RE_THROW() abort()
#define ereport(level, rest)                                                                       \
	do                                                                                             \
	{                                                                                              \
		at_report rest;                                                                            \
		if ((level) >= ERROR)                                                                      \
			abort();                                                                               \
	} while (0)
#define foreach(cell, list)      for (ListCell *cell##_at = at_first(list); (cell = at_next(cell##_at));)
#define foreach_int(value, list) for (int value = at_first(list); value; value = at_next(list))
#define foreach_oid(value, list) for (Oid value = at_first(list); value; value = at_next(list))
#define foreach_ptr(type, value, list)                                                             \
	for (type *value = at_first(list); value; value = at_next(list))
