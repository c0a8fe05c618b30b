/* SPDX-License-Identifier: Apache-2.0 */
/* hello - an init that says one line: the least a guest can do. */
#include <unistd.h>

int main(void)
{
	static const char line[] = "HELLO\n";

	if (write(STDOUT_FILENO, line, sizeof(line) - 1) < 0)
		return 1;
	for (;;)
		pause();
}
