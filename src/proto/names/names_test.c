/* Every recorded verdict of the program whose rules these are. */
#include "proto/names/names.h"
#include "testlib/vectors.h"

#include <stdlib.h>

static struct view text(const json_t *c, const char *key)
{
	const char *s = vec_str(c, key);

	return view_of(s, strlen(s));
}

static void check_view(struct view got, const char *want)
{
	char buf[512];

	CHECK_TRUE(got.len < sizeof(buf));
	if (got.len)
		memcpy(buf, got.p, got.len);
	buf[got.len] = 0;
	CHECK_STR(buf, want);
}

static void sanitize(const json_t *c)
{
	char out[NAME_LABEL_MAX + 1];
	size_t len;
	uint8_t *bytes = vec_hex(c, "in_hex", &len);
	struct view in = view_of(bytes, len);

	name_sanitize_label(in, out);
	CHECK_STR(out, vec_str(c, "label"));
	name_sanitize_hostname(in, out);
	CHECK_STR(out, vec_str(c, "hostname"));
	CHECK_INT(name_is_label(in), ==, vec_bool(c, "valid_label"));
	CHECK_INT(name_is_hostname(in), ==, vec_bool(c, "valid_hostname"));
	CHECK_INT(name_num_labels(in), ==, vec_int(c, "num_labels"));
	if (!memchr(bytes, 0, len)) { /* the two texts are no C strings then */
		check_view(name_first_label(in), vec_str(c, "first_label"));
		check_view(name_trim_common_suffixes(in), vec_str(c, "trim_common_suffixes"));
	}
	free(bytes);
}

static void fqdn(const json_t *c)
{
	char out[NAME_FQDN_MAX + 1];
	size_t len;
	uint8_t *bytes = vec_hex(c, "in_hex", &len);
	struct view f;

	if (memchr(bytes, 0, len)) {
		CHECK_INT(name_to_fqdn(view_of(bytes, len), out), <,
			0); /* stricter than the reference */
		free(bytes);
		return;
	}
	CHECK_INT(name_to_fqdn(view_of(bytes, len), out) == 0, ==, vec_bool(c, "accept"));
	free(bytes);
	if (!vec_bool(c, "accept"))
		return;
	f = view_of(out, strlen(out));
	CHECK_STR(out, vec_str(c, "fqdn"));
	CHECK_INT(name_num_labels(f), ==, vec_int(c, "num_labels"));
	check_view(name_parent(f), vec_str(c, "parent"));
	check_view(name_without_dot(f), vec_str(c, "without_dot"));
}

static void suffix(const json_t *c)
{
	CHECK_INT(
		name_has_suffix(text(c, "name"), text(c, "suffix")), ==, vec_bool(c, "has_suffix"));
	check_view(name_trim_suffix(text(c, "name"), text(c, "suffix")), vec_str(c, "trim_suffix"));
}

static void contains(const json_t *c)
{
	CHECK_INT(name_contains(text(c, "fqdn"), text(c, "other")), ==, vec_bool(c, "contains"));
}

static void cmpver(const json_t *c)
{
	int got = names_version_cmp(text(c, "a"), text(c, "b"));

	CHECK_INT((got > 0) - (got < 0), ==, vec_int(c, "compare"));
}

static void every_recorded_verdict(void **state)
{
	static const struct {
		const char *name;
		void (*check)(const json_t *c);
	} sections[] = {
		{ "sanitize", sanitize },
		{ "fqdn", fqdn },
		{ "suffix", suffix },
		{ "contains", contains },
		{ "cmpver", cmpver },
	};
	json_t *file = vectors_load("names.json"), *c;
	size_t i;
	(void)state;

	for (size_t s = 0; s < ARRAY_LEN(sections); s++) {
		json_t *section = vectors_section(file, sections[s].name);

		json_array_foreach(section, i, c)
		{
			CHECK_ROW("%s %zu", sections[s].name, i);
			sections[s].check(c);
		}
		vectors_count("names.json", sections[s].name, i);
	}
	json_decref(file);
}

static void any_bytes_make_a_label_or_nothing(void **state)
{
	uint32_t x = 1;
	(void)state;

	for (int round = 0; round < 20000; round++) {
		static const char from[] = "aZ09-._ @'\xc3\xa9/";
		uint8_t in[100];
		char out[NAME_LABEL_MAX + 1];
		size_t n = (size_t)round % sizeof(in);

		for (size_t i = 0; i < n; i++) {
			x = x * 1664525 + 1013904223;
			in[i] = (uint8_t)from[(x >> 16) % (sizeof(from) - 1)];
		}
		name_sanitize_label(view_of(in, n), out);
		CHECK_TRUE(!*out || name_is_label(view_of(out, strlen(out))));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_recorded_verdict),
		cmocka_unit_test(any_bytes_make_a_label_or_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
