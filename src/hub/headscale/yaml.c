/* A YAML document as a tree. libyaml finds the tokens; there is nothing here of types: all scalars are texts. */
#include "hub/headscale/internal.h"

#include <errno.h>
#include <yaml.h>

struct reading {
	yaml_parser_t parser;
	struct arena *mem;
	struct err_at *at;
	size_t n;
};

static int bad(struct reading *r, int rc, const char *what)
{
	const yaml_mark_t *m = &r->parser.mark;

	err_at_set(r->at, (unsigned)m->line + 1, (unsigned)m->column + 1, "line %zu: %s",
		m->line + 1, what);
	return rc;
}

static int next(struct reading *r, yaml_event_t *e)
{
	if (yaml_parser_parse(&r->parser, e))
		return 0;
	return bad(r, -ERR_BAD_FORMAT, r->parser.problem ? r->parser.problem : "this is no YAML");
}

static int read_node(struct reading *r, const yaml_event_t *e, size_t depth, struct yaml **ret);

static int read_key(struct reading *r, const yaml_event_t *e, const char **ret)
{
	if (e->type != YAML_SCALAR_EVENT)
		return bad(r, -ERR_BAD_FORMAT, "a key has to be a word");
	*ret = arena_strndup(r->mem, e->data.scalar.value, e->data.scalar.length);
	return *ret ? 0 : -ENOMEM;
}

/* Of a list or a map, until its end. */
static int read_children(struct reading *r, struct yaml *parent, size_t depth)
{
	yaml_event_type_t end =
		parent->kind == YAML_MAP ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
	struct yaml **tail = &parent->first;
	int rc = 0;

	while (rc == 0) {
		const char *key = NULL;
		yaml_event_t e;
		bool over;

		rc = next(r, &e);
		if (rc < 0)
			return rc;
		over = e.type == end;
		if (!over && parent->kind == YAML_MAP) {
			rc = read_key(r, &e, &key);
			yaml_event_delete(&e);
			if (rc == 0)
				rc = next(r, &e);
			if (rc < 0)
				return rc;
		}
		if (!over)
			rc = read_node(r, &e, depth, tail);
		yaml_event_delete(&e);
		if (over)
			break;
		if (rc == 0) {
			(*tail)->key = key;
			tail = &(*tail)->next;
		}
	}
	return rc;
}

static int read_node(struct reading *r, const yaml_event_t *e, size_t depth, struct yaml **ret)
{
	struct yaml *y = arena_new(r->mem, struct yaml);

	*ret = y;
	if (!y)
		return -ENOMEM;
	if (++r->n > YAML_NODES_MAX)
		return bad(r, -ERR_TOO_MANY, "more values than a configuration has");
	if (depth > YAML_DEPTH_MAX)
		return bad(r, -ERR_TOO_DEEP, "nested deeper than a configuration is");
	if (e->type == YAML_SCALAR_EVENT) {
		y->text = arena_strndup(r->mem, e->data.scalar.value, e->data.scalar.length);
		return y->text ? 0 : -ENOMEM;
	}
	if (e->type != YAML_SEQUENCE_START_EVENT && e->type != YAML_MAPPING_START_EVENT)
		return bad(r, -ERR_BAD_FORMAT,
			"anchors and aliases (& and *) are not read here: write the value out");
	y->kind = e->type == YAML_MAPPING_START_EVENT ? YAML_MAP : YAML_LIST;
	return read_children(r, y, depth + 1);
}

/* Up to the first value. */
static int read_document(struct reading *r, struct yaml **ret)
{
	for (;;) {
		yaml_event_t e;
		int rc = next(r, &e);
		bool begins;

		if (rc < 0)
			return rc;
		begins = e.type == YAML_STREAM_START_EVENT || e.type == YAML_DOCUMENT_START_EVENT;
		if (!begins)
			rc = e.type == YAML_STREAM_END_EVENT
				     ? bad(r, -ERR_BAD_FORMAT, "it is empty")
				     : read_node(r, &e, 0, ret);
		yaml_event_delete(&e);
		if (!begins)
			return rc;
	}
}

int yaml_parse(struct view text, struct arena *mem, struct yaml **ret, struct err_at *at)
{
	struct reading r = { .mem = mem, .at = at };
	int rc;

	if (text.len > YAML_TEXT_MAX)
		return -ERR_TOO_BIG;
	if (!yaml_parser_initialize(&r.parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&r.parser, text.p, text.len);
	rc = read_document(&r, ret);
	yaml_parser_delete(&r.parser);
	if (rc == 0 && (*ret)->kind != YAML_MAP) {
		err_at_set(at, 1, 1, "line 1: these are no settings");
		rc = -ERR_BAD_FORMAT;
	}
	return rc;
}

const struct yaml *yaml_at(const struct yaml *y, const char *path)
{
	while (y && *path) {
		size_t len = strcspn(path, ".");
		const struct yaml *child = y->kind == YAML_MAP ? y->first : NULL;

		while (child && (strlen(child->key) != len || memcmp(child->key, path, len) != 0))
			child = child->next;
		y = child;
		path += len + (path[len] == '.');
	}
	return y;
}

const char *yaml_text(const struct yaml *y, const char *path)
{
	const struct yaml *v = yaml_at(y, path);

	return v && v->kind == YAML_TEXT && v->text[0] && strcmp(v->text, "~") != 0 &&
			       strcmp(v->text, "null") != 0
		       ? v->text
		       : NULL;
}

/* The words of YAML 1.1 and Go's strconv. */
bool yaml_is_true(const struct yaml *y, const char *path, bool by_default)
{
	static const char *const yes[] = { "true", "True", "TRUE", "yes", "on", "1", "t" };
	const char *text = yaml_text(y, path);

	for (size_t i = 0; text && i < ARRAY_LEN(yes); i++)
		if (!strcmp(text, yes[i]))
			return true;
	return text ? false : by_default;
}
