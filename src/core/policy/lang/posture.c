/*
 * core/policy/lang: conditions on what a device says about itself: "node:os == 'linux'", "node:tsVersion
 * >= '1.80'", "custom:tier IN ['a', 'b']", "custom:x IS SET". Values in quotes or bare; versions
 * compare part by part.
 */
#include "core/policy/lang/internal.h"
#include "base/text/text.h"

#include <errno.h>

enum { POSTURE_VALUES_MAX = 256 };

struct expr {
	struct arena *a;
	const char *p;
	const char **why;
};

static void skip_blanks(struct expr *e)
{
	while (*e->p == ' ' || *e->p == '\t')
		e->p++;
}

static bool is_word(char c)
{
	return c && !strchr(" \t'\",[]<>=!()", c);
}

/* A word of the grammar, whatever its case; followed by something that is no word. */
static bool take_word(struct expr *e, const char *word)
{
	size_t n = strlen(word);

	skip_blanks(e);
	if (strlen(e->p) < n || !text_ieq(e->p, n, word, n) || is_word(e->p[n]))
		return false;
	e->p += n;
	return true;
}

static bool take_sign(struct expr *e, const char *sign)
{
	skip_blanks(e);
	if (strncmp(e->p, sign, strlen(sign)) != 0)
		return false;
	e->p += strlen(sign);
	return true;
}

static int take_value(struct expr *e, const char **ret)
{
	const char *start, *end;
	char quote;

	skip_blanks(e);
	quote = *e->p == '\'' || *e->p == '"' ? *e->p : 0;
	start = quote ? e->p + 1 : e->p;
	if (quote) {
		end = strchr(start, quote);
	} else {
		for (end = start; is_word(*end);)
			end++;
	}
	*e->why = quote ? "a quote is never closed" : "expected a value, such as '1.80' or true";
	if (!end || (!quote && end == start))
		return -ERR_BAD_VALUE;
	*ret = arena_strndup(e->a, start, (size_t)(end - start));
	e->p = quote ? end + 1 : end;
	return *ret ? 0 : -ENOMEM;
}

static int take_list(struct expr *e, struct posture_term *t)
{
	int rc = 0;

	*e->why = "expected [ and values with commas between";
	if (!take_sign(e, "["))
		return -ERR_BAD_VALUE;
	t->values = arena_array(e->a, POSTURE_VALUES_MAX, sizeof(*t->values));
	if (!t->values)
		return -ENOMEM;
	do {
		*e->why = "too many values";
		if (t->n_values == POSTURE_VALUES_MAX)
			return -ERR_BAD_VALUE;
		rc = take_value(e, &t->values[t->n_values++]);
	} while (rc == 0 && take_sign(e, ","));
	if (rc < 0)
		return rc;
	*e->why = "the list is never closed: end it with ]";
	return take_sign(e, "]") ? 0 : -ERR_BAD_VALUE;
}

static int take_op(struct expr *e, struct posture_term *t)
{
	static const struct {
		const char *sign;
		enum posture_op op;
	} signs[] = { { "==", POSTURE_EQ }, { "!=", POSTURE_NE }, { "<=", POSTURE_LE },
		{ ">=", POSTURE_GE }, { "<", POSTURE_LT }, { ">", POSTURE_GT } };

	for (size_t i = 0; i < ARRAY_LEN(signs); i++)
		if (take_sign(e, signs[i].sign)) {
			t->op = signs[i].op;
			t->values = arena_array(e->a, 1, sizeof(*t->values));
			t->n_values = 1;
			return t->values ? take_value(e, &t->values[0]) : -ENOMEM;
		}
	if (take_word(e, "IS")) {
		t->op = take_word(e, "NOT") ? POSTURE_NOT_SET : POSTURE_SET;
		*e->why = "expected IS SET or IS NOT SET";
		return take_word(e, "SET") ? 0 : -ERR_BAD_VALUE;
	}
	t->op = take_word(e, "NOT") ? POSTURE_NOT_IN : POSTURE_IN;
	*e->why =
		"expected ==, !=, <, <=, >, >=, IN, NOT IN, IS SET or IS NOT SET behind the attribute";
	return take_word(e, "IN") ? take_list(e, t) : -ERR_BAD_VALUE;
}

int posture_parse(struct arena *a, const char *s, struct posture_term *ret, const char **why)
{
	struct expr e = { .a = a, .p = s, .why = why };
	struct posture_term t = { 0 };
	const char *start;
	int rc;

	skip_blanks(&e);
	for (start = e.p; is_word(*e.p);)
		e.p++;
	t.attr = arena_strndup(a, start, (size_t)(e.p - start));
	if (!t.attr)
		return -ENOMEM;
	*why = "expected an attribute with a colon, such as node:os";
	if (!strchr(t.attr, ':'))
		return -ERR_BAD_VALUE;
	rc = take_op(&e, &t);
	if (rc < 0)
		return rc;
	skip_blanks(&e);
	*why = "there is something behind the condition";
	if (*e.p)
		return -ERR_BAD_VALUE;
	*ret = t;
	return 0;
}

/* Versions: numbers compare as numbers, the rest as text: 1.80.2 < 1.80.10 < 1.81. */
static int compare(const char *a, const char *b)
{
	while (*a && *b) {
		bool digits = *a >= '0' && *a <= '9' && *b >= '0' && *b <= '9';

		if (digits) {
			char *a_end, *b_end;
			unsigned long long x = strtoull(a, &a_end, 10), y = strtoull(b, &b_end, 10);

			if (x != y)
				return x < y ? -1 : 1;
			a = a_end;
			b = b_end;
			continue;
		}
		if (*a != *b)
			return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
		a++;
		b++;
	}
	return *a ? 1 : *b ? -1 : 0;
}

static const char *attr_value(const struct policy_attr *attrs, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(attrs[i].key, key) == 0)
			return attrs[i].value;
	return NULL;
}

static bool is_among(const struct posture_term *t, const char *value)
{
	for (size_t i = 0; i < t->n_values; i++)
		if (strcmp(t->values[i], value) == 0)
			return true;
	return false;
}

/* An attribute that the device does not have fulfils only IS NOT SET. */
static bool term_holds(const struct posture_term *t, const char *value)
{
	if (!value)
		return t->op == POSTURE_NOT_SET;
	switch (t->op) {
	case POSTURE_EQ:
	case POSTURE_IN:
		return is_among(t, value);
	case POSTURE_NE:
	case POSTURE_NOT_IN:
		return !is_among(t, value);
	case POSTURE_LT:
		return compare(value, t->values[0]) < 0;
	case POSTURE_LE:
		return compare(value, t->values[0]) <= 0;
	case POSTURE_GT:
		return compare(value, t->values[0]) > 0;
	case POSTURE_GE:
		return compare(value, t->values[0]) >= 0;
	case POSTURE_SET:
		return true;
	case POSTURE_NOT_SET:
		return false;
	}
	return false;
}

bool posture_holds(const struct posture *p, const struct policy_attr *attrs, size_t n)
{
	for (size_t i = 0; i < p->n_terms; i++)
		if (!term_holds(&p->terms[i], attr_value(attrs, n, p->terms[i].attr)))
			return false;
	return true;
}
