#include "daemon/state/state.h"

#include "base/text/text.h"
#include "base/vec/vec.h"
#include "crypto/keys/keys.h"
#include "os/file/file.h"
#include "proto/json/json.h"

#include <errno.h>
#include <stdlib.h>

struct entry {
	char *key;
	uint8_t *value;
	size_t len;
};

struct state {
	char *path;      /* NULL: in memory */
	struct entry *v; /* sorted by key */
	size_t n, cap;
	bool dirty;
};

static JSON_MAP_TYPE_MAX(bytes_map, json_bytes, STATE_MAX);

static void entry_fini(struct entry *e)
{
	if (e->value)
		key_wipe(e->value, e->len);
	free(e->value);
	free(e->key);
}

struct state *state_close(struct state *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < s->n; i++)
		entry_fini(&s->v[i]);
	free(s->v);
	free(s->path);
	free(s);
	return NULL;
}

bool state_is_durable(const struct state *s)
{
	return s->path != NULL;
}

/* Where the key is, or belongs. */
static size_t position(const struct state *s, const char *key, bool *ret_found)
{
	size_t lo = 0, hi = s->n;

	*ret_found = false;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int c = strcmp(s->v[mid].key, key);

		if (c == 0)
			*ret_found = true;
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct view state_get(const struct state *s, const char *key)
{
	bool found;
	size_t i = position(s, key, &found);

	return found ? view_of(s->v[i].value, s->v[i].len) : view_of("", 0);
}

static void remove_at(struct state *s, size_t i)
{
	entry_fini(&s->v[i]);
	memmove(&s->v[i], &s->v[i + 1], (s->n - i - 1) * sizeof(*s->v));
	s->n--;
}

static int insert_at(struct state *s, size_t i, const char *key)
{
	struct entry *v;
	int rc = s->n == s->cap ? vec_grow(&s->v, &s->cap, sizeof(*s->v), STATE_KEYS_MAX) : 0;

	if (rc < 0)
		return rc;
	v = s->v;
	memmove(&v[i + 1], &v[i], (s->n - i) * sizeof(*v));
	v[i] = (struct entry){ .key = strdup(key) };
	s->n++;
	if (v[i].key)
		return 0;
	v[i].key = NULL;
	remove_at(s, i);
	return -ENOMEM;
}

int state_set(struct state *s, const char *key, struct view value)
{
	bool found;
	size_t i = position(s, key, &found);
	uint8_t *copy;
	int rc = 0;

	if (view_eq(state_get(s, key), value))
		return 0;
	s->dirty = true;
	if (!value.len) {
		remove_at(s, i);
		return 0;
	}
	copy = malloc(value.len);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, value.p, value.len);
	if (!found)
		rc = insert_at(s, i, key);
	if (rc < 0) {
		free(copy);
		return rc;
	}
	if (s->v[i].value)
		key_wipe(s->v[i].value, s->v[i].len);
	free(s->v[i].value);
	s->v[i].value = copy;
	s->v[i].len = value.len;
	return 0;
}

static int read_map(struct view text, struct json_map *ret, struct arena *a)
{
	int rc;

	arena_init(a, 2 * STATE_MAX);
	rc = json_decode(&bytes_map, text.p, text.len, ret, a, NULL);
	if (rc == 0 && ret->n > STATE_KEYS_MAX)
		rc = -ERR_TOO_MANY;
	return rc;
}

static int load(struct state *s, struct view text)
{
	struct json_map m;
	struct arena a;
	int rc = read_map(text, &m, &a);

	for (size_t i = 0; rc == 0 && i < m.n; i++)
		rc = state_set(s, m.v[i].key, *(const struct view *)m.v[i].value);
	arena_fini(&a);
	s->dirty = false;
	return rc;
}

int state_open(struct state **ret, const char *path)
{
	struct state *s = calloc(1, sizeof(*s));
	struct buf text;
	int rc = 0;

	if (!s)
		return -ENOMEM;
	buf_init_secret(&text, STATE_MAX);
	if (path && *path) {
		s->path = strdup(path);
		rc = s->path ? file_read(path, &text) : -ENOMEM;
		if (rc == -ENOENT)
			rc = 0;
	}
	if (rc == 0 && buf_len(&text))
		rc = load(s, buf_view(&text));
	buf_fini(&text);
	if (rc < 0) {
		state_close(s);
		return rc;
	}
	*ret = s;
	return 0;
}

static int append_entry(struct buf *out, const struct entry *e, bool first)
{
	char *b64 = malloc(BASE64_LEN(e->len) + 1);
	int rc = -ENOMEM;

	if (!b64)
		return rc;
	base64_encode(e->value, e->len, b64);
	rc = buf_append_str(out, first ? "\n  " : ",\n  ");
	if (rc == 0)
		rc = json_encode_str(out, e->key, strlen(e->key));
	if (rc == 0)
		rc = buf_append_str(out, ": \"");
	if (rc == 0)
		rc = buf_append_str(out, b64);
	if (rc == 0)
		rc = buf_append_str(out, "\"");
	key_wipe(b64, BASE64_LEN(e->len));
	free(b64);
	return rc;
}

/* What the next start would make of it. The file that is there, and can be read, is not given up for one that cannot. */
static int check_readable(struct view text)
{
	struct json_map m;
	struct arena a;
	int rc = read_map(text, &m, &a);

	for (size_t i = 0; rc == 0 && i < m.n; i++) {
		const struct view *v = m.v[i].value;

		key_wipe((void *)(uintptr_t)v->p, v->len);
	}
	arena_fini(&a);
	return rc;
}

int state_text(struct state *s, struct buf *out)
{
	int rc;

	if (!s->dirty || !s->path)
		return STATE_UNCHANGED;
	rc = buf_append_str(out, "{");
	for (size_t i = 0; rc == 0 && i < s->n; i++)
		rc = append_entry(out, &s->v[i], i == 0);
	if (rc == 0)
		rc = buf_append_str(out, s->n ? "\n}" : "}");
	if (rc == 0)
		rc = check_readable(buf_view(out));
	s->dirty = rc < 0;
	return rc;
}

void state_failed(struct state *s)
{
	s->dirty = true;
}
