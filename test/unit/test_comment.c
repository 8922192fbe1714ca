/*-------------------------------------------------------------------------
 * test_comment.c
 *		Hints at the end of a statement: what is read, and what is an
 *		ordinary comment.
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/comment.h"

/* A statement and what is read: "key=value" in order, each with a line feed behind it. */
typedef struct Case
{
	const char *name;
	const char *sql;
	const char *pairs; /* NULL: an ordinary comment, or none */
} Case;

static const Case cases[] = {
	{"one pair", "SELECT 1 /*actor='alice'*/", "actor=alice\n"},
	{"the specification's example",
	 "SELECT * FROM FOO /*action='%2Fparam*d',controller='index,'framework='spring'*/", NULL},
	{"several pairs",
	 "SELECT 1 /*action='%2Fparam%2Ad',controller='index',traceparent='00-5b-01'*/",
	 "action=/param*d\ncontroller=index\ntraceparent=00-5b-01\n"},
	{"a semicolon and white space behind", "SELECT 1 /*a='b'*/ ; \r\n\t;", "a=b\n"},
	{"spaces inside", "SELECT 1 /* a = 'b' ,\tc='d' */", "a=b\nc=d\n"},
	{"a quote that is escaped", "SELECT 1 /*name='D\\'Arcy'*/", "name=D'Arcy\n"},
	{"a quote that is encoded", "SELECT 1 /*name='D%27Arcy'*/", "name=D'Arcy\n"},
	{"a backslash that is escaped", "SELECT 1 /*a='b\\\\'*/", "a=b\\\n"},
	{"an escaped and encoded quote", "SELECT 1 /*a='\\%27'*/", "a='\n"},
	{"both cases of hexadecimal digits", "/*a='%c3%A9%4f%4F%39'*/", "a=\303\251OO9\n"},
	{"an encoded key", "/*a%3Db='c'*/", "a=b=c\n"},
	{"an empty value", "/*a=''*/", "a=\n"},
	{"a value with a comma", "/*a='b,c',d='e'*/", "a=b,c\nd=e\n"},
	{"a comment before", "/*a='b'*/ SELECT 1 /*c='d'*/", "c=d\n"},
	{"a comment right before", "/*a='b'*//*c='d'*/", "c=d\n"},
	{"a key twice", "/*a='b',a='c'*/", "a=b\na=c\n"},
	{"nothing", "", NULL},
	{"white space alone", " ;\n", NULL},
	{"no comment", "SELECT 1", NULL},
	{"an empty comment", "SELECT 1 /**/", NULL},
	{"three characters that look like one", "/*/", NULL},
	{"the closing mark alone", "a='b'*/", NULL},
	{"a comment that is not at the end", "SELECT /*a='b'*/ 1", NULL},
	{"prose", "SELECT 1 /* the answer */", NULL},
	{"a comment within the comment", "SELECT 1 /*a='/*b*/'*/", NULL},
	{"a comment within, at its end", "SELECT 1 /* /*a='b'*/ */", NULL},
	{"another form", "SELECT 1 /*application:Shop,controller:orders*/", NULL},
	{"no key", "/*='b'*/", NULL},
	{"no value", "/*a=*/", NULL},
	{"no equals sign", "/*a'b'*/", NULL},
	{"a comma in the key", "/*a,b='c'*/", NULL},
	{"a key that ends the comment", "/*a='b',c*/", NULL},
	{"a value without quotes", "/*a=b*/", NULL},
	{"a value that does not end", "/*a='b*/", NULL},
	{"a value that ends in a backslash", "/*a='b\\*/", NULL},
	{"a comma at the end", "/*a='b',*/", NULL},
	{"a comma and a space at the end", "/*a='b', */", NULL},
	{"no comma between", "/*a='b' c='d'*/", NULL},
	{"a good pair, then prose", "/*a='b', see the ticket*/", NULL},
	{"half an encoded byte", "/*a='%4'*/", NULL},
	{"an encoded byte cut by the end", "/*a%4*/", NULL},
	{"an encoded byte that is none", "/*a='%4g'*/", NULL},
	{"another that is none", "/*a='%/4'*/", NULL},
	{"a zero byte in a value", "/*a='b%00c'*/", NULL},
	{"a zero byte in a key", "/*a%00='b'*/", NULL},
};

/* What was read, in the form of Case.pairs; the caller frees it. */
static char *
pairs_of(const AtComment *comment)
{
	char *out = calloc(1, 3 * AT_COMMENT_MAX);

	for (int i = 0; i < comment->npairs; i++)
	{
		strcat(strcat(out, comment->pair[i].key), "=");
		strcat(strcat(out, comment->pair[i].value), "\n");
	}
	return out;
}

/* Read a copy of exactly this size, so that the sanitizer sees a byte read outside. */
static bool
read_copy(AtComment *comment, const char *sql, size_t len)
{
	char *copy = malloc(len);
	bool found;

	if (len > 0)
		memcpy(copy, sql, len);
	found = at_comment_read(comment, copy, len);
	free(copy);
	return found;
}

static void
test_cases(void)
{
	static AtComment comment;

	for (size_t i = 0; i < lengthof(cases); i++)
	{
		const char *pairs = cases[i].pairs;
		bool found = read_copy(&comment, cases[i].sql, strlen(cases[i].sql));
		char *read = pairs_of(&comment);

		check(found == (pairs != NULL) && strcmp(read, pairs ? pairs : "") == 0, cases[i].name);
		free(read);
	}
}

/* A statement with a value of so many bytes. */
static bool
reads_value_of(size_t len)
{
	static AtComment comment;
	static char sql[2 * AT_COMMENT_MAX];

	memcpy(sql, "/*a='", 5);
	memset(sql + 5, 'x', len);
	memcpy(sql + 5 + len, "'*/", 3);
	return read_copy(&comment, sql, len + 8) && strlen(comment.pair[0].value) == len;
}

/* A statement with so many pairs. */
static bool
reads_pairs(int count)
{
	static AtComment comment;
	static char sql[AT_COMMENT_MAX];

	strcpy(sql, "/*");
	for (int i = 0; i < count; i++)
		strcat(sql, i == 0 ? "a='b'" : ",a='b'");
	strcat(sql, "*/");
	return read_copy(&comment, sql, strlen(sql)) && comment.npairs == count;
}

static void
test_limits(void)
{
	check(reads_value_of(AT_COMMENT_MAX - 4), "the longest comment is read");
	check(!reads_value_of(AT_COMMENT_MAX - 3), "a longer one is not");
	check(reads_pairs(AT_COMMENT_PAIRS), "the greatest number of pairs is read");
	check(!reads_pairs(AT_COMMENT_PAIRS + 1), "one more is not");
}

/* Every cut of every case, and random bytes of the alphabet that matters. */
static void
test_any_text(void)
{
	static const char alphabet[] = "/*'=,%\\ a0;";
	static AtComment comment;
	char text[24];
	size_t found = 0;

	for (size_t i = 0; i < lengthof(cases); i++)
		for (size_t len = 0; len <= strlen(cases[i].sql); len++)
			for (size_t start = 0; start <= len; start++)
				found += read_copy(&comment, cases[i].sql + start, len - start);
	srand(1);
	for (int i = 0; i < 1000000; i++)
	{
		size_t len = (size_t) rand() % sizeof(text);

		for (size_t j = 0; j < len; j++)
			text[j] = alphabet[(size_t) rand() % (sizeof(alphabet) - 1)];
		if (len >= 4)
			memcpy(text + len - 2, "*/", 2);
		found += read_copy(&comment, text, len);
	}
	check(found > lengthof(cases), "any text is read or refused");
}

int
main(void)
{
	test_cases();
	test_limits();
	test_any_text();
	return check_done();
}
