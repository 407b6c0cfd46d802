/* A Modbus server that is not ours (Debian libmodbus): TCP, or RTU as unit 1 on the device that is its argument. Prints
 * {"port": N} or {"device": NAME} and ends with its parent.
 *
 * Map, the same in `input` and `holding`: item i in byte order o (0 ABCD, 1 CDAB, 2 BADC, 3 DCBA) starts at
 * 1000 * o + 8 * i; the items are numbered as in main(). Coil and discrete input a is on where a % 3 == 0.
 * Only the first 4000 addresses exist. One client at a time.
 */
#include <errno.h>
#include <math.h>
#include <modbus/modbus.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

enum { ADDRESSES = 4000 };
static uint16_t *memory;

/* Words of a value, most significant first, in byte order o. */
static void put(int item, int words, uint64_t bits)
{
    for (int o = 0; o < 4; o++)
        for (int w = 0; w < words; w++) {
            uint16_t word = (uint16_t)(bits >> (16 * (words - 1 - w)));
            if (o >= 2)
                word = (uint16_t)(word << 8 | word >> 8);
            memory[1000 * o + 8 * item + (o % 2 ? words - 1 - w : w)] = word;
        }
}

/* Not modbus_set_float_abcd(): in libmodbus 3.1.6 it writes D C B A. */
static void put_float(int item, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    put(item, 2, bits);
}

static void put_double(int item, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put(item, 4, bits);
}

static void put_text(int item, const char *text, size_t size)
{
    for (int o = 0; o < 4; o++)
        for (size_t i = 0; i < size; i++)
            memory[1000 * o + 8 * item + i / 2] |= (uint16_t)((uint8_t)text[i] << ((i % 2 == 0) == (o < 2) ? 8 : 0));
}

static void serve(modbus_t *context, modbus_mapping_t *map, int serial)
{
    uint8_t query[MODBUS_TCP_MAX_ADU_LENGTH];
    int length;
    while ((length = modbus_receive(context, query)) >= 0 || (serial && errno != EIO))
        if (length > 0)
            modbus_reply(context, query, length, map);
}

int main(int count, char **arguments)
{
    modbus_mapping_t *map = modbus_mapping_new(ADDRESSES, ADDRESSES, ADDRESSES, ADDRESSES);
    modbus_t *context =
        count > 1 ? modbus_new_rtu(arguments[1], 115200, 'N', 8, 1) : modbus_new_tcp("127.0.0.1", 0);
    if (map == NULL || context == NULL)
        return 1;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    memory = map->tab_registers;
    put(0, 1, (uint16_t)INT16_MIN);
    put(1, 1, INT16_MAX);
    put(2, 1, (uint16_t)-1);
    put(3, 1, UINT16_MAX);
    put(4, 2, (uint32_t)INT32_MIN);
    put(5, 2, INT32_MAX);
    put(6, 2, UINT32_MAX);
    put(7, 2, 0x01020304);
    put_float(8, 123.456f);
    put_float(9, 3.40282347e38f);
    put_float(10, 1.40129846e-45f);
    put_float(11, -0.0f);
    put_float(12, NAN);
    put_float(13, INFINITY);
    put_float(14, -INFINITY);
    put(15, 4, (uint64_t)INT64_MIN);
    put(16, 4, INT64_MAX);
    put(17, 4, UINT64_MAX);
    put(18, 4, 0x0102030405060708u);
    put_double(19, 0.1);
    put_double(20, 1.7976931348623157e308);
    put_double(21, 5e-324);
    put_double(22, -0.0);
    put_double(23, NAN);
    put_double(24, INFINITY);
    put_double(25, -INFINITY);
    put_text(26, "압출기 A1 ", strlen("압출기 A1 "));
    put_text(27, "\xff\xfe!!", 4);
    put_text(28, "\"\\\n, =# \\  ", strlen("\"\\\n, =# \\  "));
    memcpy(map->tab_input_registers, memory, ADDRESSES * sizeof *memory);
    for (int i = 0; i < ADDRESSES; i++)
        map->tab_bits[i] = map->tab_input_bits[i] = i % 3 == 0;

    if (count > 1) {
        /* After a request to another unit it takes the next one for that unit's reply, and must find back into step. */
        modbus_set_error_recovery(context, MODBUS_ERROR_RECOVERY_PROTOCOL);
        modbus_set_response_timeout(context, 0, 20000);
        if (modbus_set_slave(context, 1) != 0 || modbus_connect(context) != 0)
            return 1;
        printf("{\"device\": \"%s\"}\n", arguments[1]);
        fflush(stdout);
        serve(context, map, 1);
        return 0;
    }
    int listener = modbus_tcp_listen(context, 1);
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    if (listener < 0 || getsockname(listener, (struct sockaddr *)&address, &size) != 0)
        return 1;
    printf("{\"port\": %d}\n", ntohs(address.sin_port));
    fflush(stdout);
    while (modbus_tcp_accept(context, &listener) >= 0) {
        serve(context, map, 0);
        modbus_close(context);
    }
    return 0;
}
