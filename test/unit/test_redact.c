/*-------------------------------------------------------------------------
 * test_redact.c
 *		Texts of commands: which mention secrets, and what is left of them.
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/redact.h"

/* A command, and what is left of it. */
typedef struct Case
{
	const char *name;
	const char *text;
	const char *left; /* NULL: no secret is mentioned */
} Case;

static const Case cases[] = {
	{"nothing", "", NULL},
	{"an ordinary command", "DROP TABLE audit.event; SELECT 'x'", NULL},
	{"a password", "ALTER ROLE a PASSWORD 'hunter2'", "ALTER ROLE a PASSWORD '***'"},
	{"in lower case", "alter role a password 'hunter2'", "alter role a password '***'"},
	{"an encrypted one", "CREATE USER a ENCRYPTED PASSWORD 'md5abc' VALID UNTIL '2030-01-01'",
	 "CREATE USER a ENCRYPTED PASSWORD '***' VALID UNTIL '***'"},
	{"a literal before", "SELECT set('hunter2', 'password')", "SELECT set('***', '***')"},
	{"a doubled quote", "SET secret = 'it''s'';' -- x", "SET secret = '***' -- x"},
	{"an escaped quote", "SET secret = E'it\\'s', b = 'x'", "SET secret = E'***'"},
	{"a backslash at the end", "SELECT token('c:\\'), 'hunter2'", "SELECT token('***'"},
	{"a backslash within", "SELECT token('a\\b'), 'c'", "SELECT token('***'), '***'"},
	{"a literal that does not end", "ALTER ROLE a PASSWORD 'hun", "ALTER ROLE a PASSWORD '***'"},
	{"literals that touch", "SELECT $$pwd$$'a'", "SELECT '***'"},
	{"an empty literal", "ALTER ROLE a PASSWORD ''", "ALTER ROLE a PASSWORD '***'"},
	{"a function's body", "DO $$ ALTER ROLE a PASSWORD 'x' $$; x", "DO '***'; x"},
	{"with a tag", "DO $do$ pwd := $$x$$ $do$ LANGUAGE a", "DO '***' LANGUAGE a"},
	{"a body that does not end", "DO $a$ pwd $b$", "DO '***'"},
	{"parameters", "ALTER ROLE a PASSWORD $1 || $2", "ALTER ROLE a PASSWORD $1 || $2"},
	{"a dollar sign in a name", "SELECT a$b$ FROM secret$c$ x 'y'",
	 "SELECT a$b$ FROM secret$c$ x '***'"},
	{"a dollar sign alone", "SELECT $ FROM secret $x", "SELECT $ FROM secret $x"},
	{"a tag beyond ASCII", "DO $\303\244$ pwd $\303\244$", "DO '***'"},
	{"a quote in an identifier", "CREATE ROLE \"o'neil\"\"s\" PASSWORD 'x'",
	 "CREATE ROLE \"o'neil\"\"s\" PASSWORD '***'"},
	{"a quote in a comment", "DROP ROLE a -- it's\n; SET pwd = 'x'",
	 "DROP ROLE a -- it's\n; SET pwd = '***'"},
	{"nested comments", "/* a /* it's */ 'b' */ SET pwd = 'x'",
	 "/* a /* it's */ 'b' */ SET pwd = '***'"},
	{"a comment that does not end", "SET pwd = 'x' /* 'y", "SET pwd = '***' /* 'y"},
	{"a connection string", "SELECT dblink('postgres://a:b@c')", "SELECT dblink('***')"},
	{"other words", "SELECT crypt('a', gen_salt('bf'))", "SELECT crypt('***', gen_salt('***'))"},
	{"a word at the very end", "SELECT 'a' AS pwd", "SELECT '***' AS pwd"},
	{"half a word at the end", "SELECT 'a' AS pw", NULL},
};

static void
run(const Case *c)
{
	size_t len = strlen(c->text);
	char *out = malloc(at_redact_size(len));

	check(at_mentions_secret(c->text, len) == (c->left != NULL), c->name);
	if (c->left != NULL)
		check(at_redact(c->text, len, out) == strlen(c->left) && strcmp(out, c->left) == 0,
			  c->name);
	free(out);
}

/* Values are numbers too; names and parameters are none. */
static void
test_values(void)
{
	static const char *const texts[][2] = {
		{"SELECT 'x', 4711 FROM t1 WHERE a2 = 3.14e5 AND b = $1",
		 "SELECT '***', 0 FROM t1 WHERE a2 = 0 AND b = $1"},
		{"UPDATE t SET a[12] = -7, \"c 5\" = 0xff", "UPDATE t SET a[0] = -0, \"c 5\" = 0"},
		{"5", "0"},
		{"SELECT 1-- 2", "SELECT 0-- 2"},
	};
	char out[200];

	for (size_t i = 0; i < lengthof(texts); i++)
		check(at_redact_values(texts[i][0], strlen(texts[i][0]), out) == strlen(texts[i][1]) &&
				  strcmp(out, texts[i][1]) == 0,
			  texts[i][0]);
}

/* However short its literals are, the text fits. */
static void
test_size(void)
{
	char text[64];
	char out[400];
	bool fits = true;

	for (size_t len = 0; len < sizeof(text); len++)
	{
		memset(text, '\'', len);
		for (size_t i = 2; i < len; i += 3)
			text[i] = ',';
		fits = fits && at_redact_size(len) <= sizeof(out) &&
			   at_redact(text, len, out) < at_redact_size(len);
	}
	check(fits, "what is written fits");
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		run(&cases[i]);
	test_values();
	test_size();
	return check_done();
}
