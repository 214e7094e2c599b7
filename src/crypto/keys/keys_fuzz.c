/* Text and binary forms of keys: what is read is written as it stood, but for the case of its digits. */
#include "base/text/text.h"
#include "crypto/keys/keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t key[KEY_LEN], again[KEY_LEN], binary[KEY_NODE_BINARY_LEN];
	char text[KEY_TEXT_MAX];
	struct node_pub node;

	for (enum key_kind k = KEY_MACHINE; k <= KEY_NL_CLI; k++) {
		if (key_parse(k, (const char *)data, len, key) == 0) {
			key_format(k, key, text);
			CHECK(text_ieq(text, strlen(text), (const char *)data, len));
		}
		if (len >= KEY_LEN) {
			key_format(k, data, text);
			CHECK(key_parse(k, text, strlen(text), again) == 0 &&
				memcmp(again, data, KEY_LEN) == 0);
		}
	}
	if (key_node_from_binary(data, len, &node) == 0) {
		key_node_to_binary(&node, binary);
		CHECK(len == sizeof(binary) && memcmp(binary, data, len) == 0);
	}
	return 0;
}
