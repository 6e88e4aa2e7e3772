#include <stdio.h>

static const char *const names[CLASSES] = {{ "{" }}{{ classes | join(", ") }}{{ "}" }};

/* Return the next number in the header of a PGM file, or -1 if there is none. */
static int header_number(FILE *file)
{
    int c, number = -1;
    while ((c = fgetc(file)) == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '#')
        if (c == '#')
            while ((c = fgetc(file)) != '\n' && c != EOF)
                ;
    for (; c >= '0' && c <= '9' && number < 100000; c = fgetc(file))
        number = (number < 0 ? 0 : 10 * number) + c - '0';
    return number; /* the character after it is read, too */
}

/* Read an image: binary PGM, which begins with P5, or else its bytes alone.
 * Return 1, or 0 at the end of the file, or -1 if it is not an image of the right size. */
static int read_image(FILE *file, uint8_t *pixels)
{
    int highest = 255;
    size_t count = fread(pixels, 1, 2, file);
    if (count == 0)
        return ferror(file) ? -1 : 0;
    if (count == 2 && pixels[0] == 'P' && pixels[1] == '5') {
        if (header_number(file) != COLUMNS || header_number(file) != ROWS)
            return -1;
        highest = header_number(file);
        if (highest < 1 || highest > 255)
            return -1;
        count = 0;
    }
    if (fread(pixels + count, 1, ROWS * COLUMNS - count, file) != ROWS * COLUMNS - count)
        return -1;
    for (int k = 0; k < ROWS * COLUMNS && highest < 255; k++)
        pixels[k] = pixels[k] < highest ? (uint8_t)((pixels[k] * 255 + highest / 2) / highest) : 255;
    return 1;
}

/* Print the class and the scores of each image, separated by tabs. */
int main(int argc, char **argv)
{
    static uint8_t pixels[ROWS * COLUMNS];
    float scores[CLASSES];
    int found;
    FILE *file = argc > 1 ? fopen(argv[1], "rb") : stdin;
    if (!file) {
        fprintf(stderr, "%s cannot be opened.\n", argv[1]);
        return 1;
    }
    while ((found = read_image(file, pixels)) > 0) {
        network_scores(pixels, scores);
        printf("%s", names[network_predict(pixels)]);
        for (int o = 0; o < CLASSES; o++)
            printf("\t%.9g", scores[o]);
        printf("\n");
    }
    if (found < 0) {
        fprintf(stderr, "Expected images of %d x %d pixels, as binary PGM or as bytes.\n", ROWS, COLUMNS);
        return 1;
    }
    return 0;
}
