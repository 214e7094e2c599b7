/* Which hosts and URLs of others may be used. */
#include "proto/names/url.h"
#include "testlib/check.h"

static void hosts(void **state)
{
	static const char *const good[] = { "hub.example", "hub", "derp1.example.com.", "192.0.2.1",
		"::1", "2001:db8::1", "a_b.example" };
	static const char *const bad[] = {
		"", ".", "a..b", "hub.example\r\nX: y", "a b", "a/b", "a:1", "[::1]", "a@b",
		"caf\xc3\xa9", "a\x7f",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example"
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		CHECK_ROW("%s", good[i]);
		CHECK_TRUE(url_host_is_sound(good[i]));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		CHECK_ROW("%s", bad[i]);
		CHECK_TRUE(!url_host_is_sound(bad[i]));
	}
	CHECK_TRUE(!url_host_is_sound(NULL));
}

static void urls(void **state)
{
	static const char *const good[] = { "https://hub.example",
		"http://192.0.2.1:8080/a/1f?x=%20&y=1#z", "https://[2001:db8::1]:443/",
		"https://login.example.com/a/b~c(d)" };
	static const char *const bad[] = { "", "ftp://a", "javascript:alert(1)", "https://",
		"https:///x", "https://a b/", "https://a/\r\nX: y", "https://a/\033[31m",
		"https://me:pw@host/", "https://a:99999/", "https://a/`id`",
		"https://a/\"><script>", "HTTPS://A/\x7f", "https://[::1/", "https://[a]/",
		"https://a:b/", "https://\xc3\xa9/" };

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		CHECK_ROW("%s", good[i]);
		CHECK_TRUE(url_is_sound(good[i]));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		CHECK_ROW("%s", bad[i]);
		CHECK_TRUE(!url_is_sound(bad[i]));
	}
	CHECK_TRUE(!url_is_sound(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts),
		cmocka_unit_test(urls),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
