#include "testlib/vectors.h"

#include <stdio.h>
#include <stdlib.h>

#ifndef VECTORS_DIR
#define VECTORS_DIR "tests/vectors"
#endif

static void vectors_path(const char *file, char *out, size_t n)
{
	const char *dir = getenv("VECTORS_DIR");

	snprintf(out, n, "%s/%s", dir ? dir : VECTORS_DIR, file);
}

json_t *vectors_load(const char *file)
{
	char path[1024];
	json_error_t err;
	json_t *j;

	vectors_path(file, path, sizeof(path));
	j = json_load_file(path, JSON_ALLOW_NUL, &err);
	if (!j)
		check_fail(__FILE__, __LINE__, "%s:%d: %s", path, err.line, err.text);
	return j;
}

json_t *vectors_load_lines(const char *file)
{
	char path[1024];
	json_error_t err;
	json_t *all = json_array(), *j;
	FILE *f;

	vectors_path(file, path, sizeof(path));
	f = fopen(path, "r");
	if (!f)
		check_fail(__FILE__, __LINE__, "cannot open %s", path);
	while ((j = json_loadf(f, JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL, &err)))
		json_array_append_new(all, j);
	if (!feof(f))
		check_fail(__FILE__, __LINE__, "%s: %s", path, err.text);
	fclose(f);
	return all;
}

json_t *vectors_section(json_t *file, const char *section)
{
	json_t *s = json_object_get(file, section);

	if (!json_is_array(s) || json_array_size(s) == 0)
		check_fail(__FILE__, __LINE__, "section %s is missing or empty", section);
	return s;
}

static json_t *field(const json_t *c, const char *key)
{
	json_t *v = json_object_get(c, key);

	if (!v)
		check_fail(__FILE__, __LINE__, "case has no field %s", key);
	return v;
}

const char *vec_str(const json_t *c, const char *key)
{
	json_t *v = field(c, key);

	if (!json_is_string(v))
		check_fail(__FILE__, __LINE__, "field %s is not a text", key);
	return json_string_value(v);
}

long long vec_int(const json_t *c, const char *key)
{
	json_t *v = field(c, key);

	if (json_is_string(v)) /* numbers beyond 2^53 are decimal strings */
		return (long long)strtoull(json_string_value(v), NULL, 10);
	if (!json_is_integer(v))
		check_fail(__FILE__, __LINE__, "field %s is not a number", key);
	return json_integer_value(v);
}

bool vec_bool(const json_t *c, const char *key)
{
	json_t *v = field(c, key);

	if (!json_is_boolean(v))
		check_fail(__FILE__, __LINE__, "field %s is not a boolean", key);
	return json_is_true(v);
}

uint8_t *hex_bytes(const char *hex, size_t *ret_len)
{
	size_t n = strlen(hex) / 2;
	uint8_t *out = malloc(n + 1);

	if (!out || strlen(hex) % 2)
		check_fail(__FILE__, __LINE__, "bad hex of length %zu", strlen(hex));
	for (size_t i = 0; i < n; i++) {
		unsigned v;

		if (sscanf(hex + 2 * i, "%2x", &v) != 1)
			check_fail(__FILE__, __LINE__, "bad hex at %zu", i);
		out[i] = (uint8_t)v;
	}
	*ret_len = n;
	return out;
}

uint8_t *vec_hex(const json_t *c, const char *key, size_t *ret_len)
{
	return hex_bytes(vec_str(c, key), ret_len);
}

void vec_hex_exact(const json_t *c, const char *key, void *out, size_t n)
{
	size_t len;
	uint8_t *p = vec_hex(c, key, &len);

	if (len != n)
		check_fail(__FILE__, __LINE__, "field %s has %zu bytes, not %zu", key, len, n);
	memcpy(out, p, n);
	free(p);
}

void vectors_count(const char *file, const char *section, size_t n)
{
	printf("# vectors: %s %s: %zu cases\n", file, section, n);
	if (n == 0)
		check_fail(__FILE__, __LINE__, "no cases in %s %s", file, section);
}
