/*-------------------------------------------------------------------------
 * json_text.c
 *		JSON as it was recorded: is it JSON, and what are its members?
 *
 * Checking keeps a bit a level, whether it is an object. After a check, a
 * value ends where its brackets are even, outside of strings.
 *-------------------------------------------------------------------------
 */
#include "core/json_text.h"

/* What may come next. */
typedef enum Expect
{
	EXPECT_VALUE,
	EXPECT_VALUE_OR_END, /* behind [ */
	EXPECT_KEY,
	EXPECT_KEY_OR_END, /* behind { */
	EXPECT_COMMA_OR_END
} Expect;

typedef struct Checker
{
	AtText text;
	Expect expect;
	int depth;
	uint8_t is_object[AT_JSON_TEXT_DEPTH / 8];
} Checker;

static bool check_token(Checker *checker);
static bool check_value(Checker *checker);
static bool check_key(Checker *checker);
static bool open_level(Checker *checker, bool is_object);
static bool close_level(Checker *checker, bool is_object);
static bool in_object(const Checker *checker);
static bool take_string(AtText *text);
static bool take_number(AtText *text);
static size_t take_digits(AtText *text);
static bool take(AtText *text, char c);
static void skip_space(AtText *text);
static AtText take_value(AtText *text);
static int32_t take_escape(AtText *string);
static bool read_unit(AtText string, int32_t *unit);
static int digit_value(char c);

bool
at_json_text_check(AtText text)
{
	Checker checker = {.text = text, .expect = EXPECT_VALUE};

	do
	{
		skip_space(&checker.text);
		if (!check_token(&checker))
			return false;
	} while (checker.depth > 0);
	skip_space(&checker.text);
	return checker.text.len == 0;
}

/* One token, a key with its colon. */
static bool
check_token(Checker *checker)
{
	switch (checker->expect)
	{
		case EXPECT_KEY_OR_END:
			if (take(&checker->text, '}'))
				return close_level(checker, true);
			return check_key(checker);
		case EXPECT_KEY:
			return check_key(checker);
		case EXPECT_VALUE_OR_END:
			if (take(&checker->text, ']'))
				return close_level(checker, false);
			return check_value(checker);
		case EXPECT_VALUE:
			return check_value(checker);
		default:
			if (take(&checker->text, ','))
			{
				checker->expect = in_object(checker) ? EXPECT_KEY : EXPECT_VALUE;
				return true;
			}
			if (take(&checker->text, '}'))
				return close_level(checker, true);
			return take(&checker->text, ']') && close_level(checker, false);
	}
}

static bool
check_value(Checker *checker)
{
	AtText *text = &checker->text;

	checker->expect = EXPECT_COMMA_OR_END;
	if (take(text, '{'))
		return open_level(checker, true);
	if (take(text, '['))
		return open_level(checker, false);
	return at_text_skip(text, "true") || at_text_skip(text, "false") ||
		   at_text_skip(text, "null") || take_string(text) || take_number(text);
}

static bool
check_key(Checker *checker)
{
	checker->expect = EXPECT_VALUE;
	if (!take_string(&checker->text))
		return false;
	skip_space(&checker->text);
	return take(&checker->text, ':');
}

static bool
open_level(Checker *checker, bool is_object)
{
	int level = checker->depth++;
	uint8_t bit = (uint8_t) (1 << level % 8);

	if (level == AT_JSON_TEXT_DEPTH)
		return false;
	if (is_object)
		checker->is_object[level / 8] |= bit;
	else
		checker->is_object[level / 8] &= (uint8_t) ~bit;
	checker->expect = is_object ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
	return true;
}

static bool
close_level(Checker *checker, bool is_object)
{
	bool right = in_object(checker) == is_object;

	checker->depth--;
	checker->expect = EXPECT_COMMA_OR_END;
	return right;
}

static bool
in_object(const Checker *checker)
{
	int level = checker->depth - 1;

	return (checker->is_object[level / 8] >> level % 8 & 1) != 0;
}

bool
at_json_text_open(AtText value, AtText *members)
{
	skip_space(&value);
	*members = value;
	return take(members, '{');
}

bool
at_json_text_next(AtText *members, AtText *key, AtText *value)
{
	skip_space(members);
	(void) take(members, ',');
	skip_space(members);
	*key = *members;
	if (!take_string(members))
		return false;

	*key = (AtText){key->data + 1, key->len - members->len - 2};
	skip_space(members);
	(void) take(members, ':');
	skip_space(members);
	*value = take_value(members);
	return true;
}

bool
at_json_text_find(AtText object, const char *key, AtText *value)
{
	AtText members;
	AtText name;

	if (!at_json_text_open(object, &members))
		return false;
	while (at_json_text_next(&members, &name, value))
		if (at_text_equal(name, at_text(key)))
			return true;

	return false;
}

bool
at_json_text_unquote(AtText *value)
{
	if (value->len < 2 || value->data[0] != '"')
		return false;

	*value = (AtText){value->data + 1, value->len - 2};
	return true;
}

int32_t
at_json_text_character(AtText *string)
{
	if (string->data[0] == '\\' && string->len > 1)
		return take_escape(string);

	int32_t code_point = at_text_character(string);

	if (code_point < 0)
	{
		code_point = -1 - (uint8_t) string->data[0];
		*string = (AtText){string->data + 1, string->len - 1};
	}
	return code_point;
}

/* A string with its quotes. */
static bool
take_string(AtText *text)
{
	if (!take(text, '"'))
		return false;

	while (text->len > 0 && text->data[0] != '"')
	{
		int32_t unit;
		size_t len = 1;

		if ((uint8_t) text->data[0] < ' ')
			return false;
		if (text->data[0] == '\\')
		{
			if (text->len < 2 || text->data[1] == '\0' ||
				strchr("\"\\/bfnrtu", text->data[1]) == NULL)
				return false;
			len = text->data[1] == 'u' ? 6 : 2;
			if (len == 6 && !read_unit(*text, &unit))
				return false;
		}
		*text = (AtText){text->data + len, text->len - len};
	}
	return take(text, '"');
}

static bool
take_number(AtText *text)
{
	(void) take(text, '-');
	if (!take(text, '0') && take_digits(text) == 0)
		return false;
	if (take(text, '.') && take_digits(text) == 0)
		return false;
	if (take(text, 'e') || take(text, 'E'))
	{
		if (!take(text, '+'))
			(void) take(text, '-');
		return take_digits(text) > 0;
	}
	return true;
}

static size_t
take_digits(AtText *text)
{
	size_t len = 0;

	while (len < text->len && text->data[len] >= '0' && text->data[len] <= '9')
		len++;
	*text = (AtText){text->data + len, text->len - len};
	return len;
}

static bool
take(AtText *text, char c)
{
	if (text->len == 0 || text->data[0] != c)
		return false;

	*text = (AtText){text->data + 1, text->len - 1};
	return true;
}

static void
skip_space(AtText *text)
{
	while (take(text, ' ') || take(text, '\t') || take(text, '\n') || take(text, '\r'))
		;
}

/* A value that was checked, as far as its brackets reach. */
static AtText
take_value(AtText *text)
{
	AtText start = *text;
	size_t depth = 0;

	while (text->len > 0)
	{
		char c = text->data[0];

		if ((c == ',' || c == '}' || c == ']' || c == ' ' || c == '\t' || c == '\n' || c == '\r') &&
			depth == 0)
			break;
		depth += c == '{' || c == '[';
		depth -= c == '}' || c == ']';
		if (c != '"' || !take_string(text))
			(void) take(text, c);
	}
	return (AtText){start.data, start.len - text->len};
}

/* An escape; of one that is none, the backslash. */
static int32_t
take_escape(AtText *string)
{
	static const char names[] = "\"\\/bfnrt";
	static const char meant[] = "\"\\/\b\f\n\r\t";
	const char *name = strchr(names, string->data[1]);
	int32_t unit;
	int32_t low;

	if (string->data[1] == 'u' && read_unit(*string, &unit))
	{
		*string = (AtText){string->data + 6, string->len - 6};
		if (unit >> 10 == 0xd800 >> 10 && read_unit(*string, &low) && low >> 10 == 0xdc00 >> 10)
		{
			*string = (AtText){string->data + 6, string->len - 6};
			unit = 0x10000 + ((unit & 0x3ff) << 10 | (low & 0x3ff));
		}
		return unit;
	}

	size_t len = name != NULL && *name != '\0' ? 2 : 1;

	*string = (AtText){string->data + len, string->len - len};
	return len == 2 ? meant[name - names] : '\\';
}

/* The number of \uXXXX, which the string begins with; false if it does not. */
static bool
read_unit(AtText string, int32_t *unit)
{
	if (string.len < 6 || string.data[0] != '\\' || string.data[1] != 'u')
		return false;

	*unit = 0;
	for (int i = 2; i < 6; i++)
	{
		int digit = digit_value(string.data[i]);

		if (digit < 0)
			return false;
		*unit = *unit << 4 | digit;
	}
	return true;
}

static int
digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}
