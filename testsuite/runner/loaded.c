/* The dynamically loaded function that tests call with ${dlfunc. */

enum { OK = 0, FAIL = 2, ERROR = 3, FAIL_FORCED = 4 };

int dltest(unsigned char **yield, int argc, unsigned char *argv[])
{
    switch (argc) {
    case 0:
        return ERROR;
    case 1:
        *yield = argv[0];
        return OK;
    case 2:
        *yield = (unsigned char *)"yield FAIL_FORCED";
        return FAIL_FORCED;
    default:
        *yield = (unsigned char *)"yield FAIL";
        return FAIL;
    }
}
