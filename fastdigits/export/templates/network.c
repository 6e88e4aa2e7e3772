/* {{ title }}.
 *
 * C99. It allocates nothing and needs {{ "the mathematical functions of the C library (-lm)" if needs_math else "no library" }}.
{% for line in notes %}
 * {{ line }}
{% endfor %}
{% if header %}
 *
 * Include this file in one source file; all of it is static. Another network needs another source file.
{% endif %}
 *
 * To compile a program that reads images, PGM or {{ rows * columns }} bytes each, from a file or standard input:
 *     cc -std=c99 -O2 -DNETWORK_MAIN {{ "-x c digits.h" if header else "digits.c" }} -o digits{{ " -lm" if needs_math }}
 */
{% if header %}
#ifndef NETWORK_{{ checksum }}_H
#define NETWORK_{{ checksum }}_H

{% endif %}
#include <stdint.h>
{% if needs_math %}
#include <math.h>
{% endif %}

enum { ROWS = {{ rows }}, COLUMNS = {{ columns }}, PAD = {{ pad }}, BACKGROUND = {{ background }}, CLASSES = {{ classes | length }} };

/* Channels, rows and columns of an array; a vector has rows and columns of 1 */
typedef struct {
    int C, H, W;
} Shape;

/* Rows, columns and stride of the window of a convolution or pooling, and zeros above and to the left of the image */
typedef struct {
    int P, Q, stride, top, left;
} Window;

{% if uses("conv2d") %}
/* Copy the part of the input that the output pixel (i, j) is computed from; beyond the edges are zeros. */
static void gather(const {{ number }} *x, Shape in, Window w, int i, int j, {{ number }} *values)
{
    for (int c = 0; c < in.C; c++)
        for (int p = 0; p < w.P; p++)
            for (int q = 0; q < w.Q; q++) {
                const int row = i * w.stride + p - w.top, column = j * w.stride + q - w.left;
                const int inside = row >= 0 && row < in.H && column >= 0 && column < in.W;
                *values++ = inside ? x[(c * in.H + row) * in.W + column] : 0;
            }
}

{% endif %}
{% if uses("maxpool2d") %}
static void maxpool2d(const {{ number }} *x, Shape in, {{ number }} *y, Shape out, Window w)
{
    for (int c = 0; c < out.C; c++)
        for (int i = 0; i < out.H; i++)
            for (int j = 0; j < out.W; j++) {
                const {{ number }} *first = x + (c * in.H + i * w.stride) * in.W + j * w.stride;
                {{ number }} highest = *first;
                for (int p = 0; p < w.P; p++)
                    for (int q = 0; q < w.Q; q++)
                        if (first[p * in.W + q] > highest)
                            highest = first[p * in.W + q];
                *y++ = highest;
            }
}

{% endif %}
{% if uses("relu") %}
static void apply_relu(const {{ number }} *x, {{ number }} *y, int count)
{
    for (int k = 0; k < count; k++)
        y[k] = x[k] > 0 ? x[k] : 0;
}

{% endif %}
{% include "int8.c" if int8 else "float32.c" %}

/* What the network sees of each level of a pixel: prepared{{ ", normalized and quantized" if int8 else " and normalized" }} */
{% for array in arrays %}
{{ array }}

{% endfor %}
/* Arrays between two steps, so that only one thread at a time may use the network */
{% for index, size in buffers.items() %}
static {{ number }} buffer_{{ index }}[{{ size }}];
{% endfor %}
{% if window %}
static {{ number }} window[{{ window }}]; /* of the input of a convolution */
{% endif %}

/* Fill scores, one for each class, of an image of {{ rows }} x {{ columns }} pixels from 0 to 255 as in the training images. */
{{ linkage }}void network_scores(const uint8_t *pixels, float *scores)
{
    for (int k = 0; k < (ROWS + 2 * PAD) * (COLUMNS + 2 * PAD); k++)
        buffer_0[k] = levels[BACKGROUND];
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COLUMNS; j++)
            buffer_0[(i + PAD) * (COLUMNS + 2 * PAD) + j + PAD] = levels[pixels[i * COLUMNS + j]];
{% for call in calls %}
    {{ call }}
{% endfor %}
}

/* Return the class of the highest score. */
{{ linkage }}int network_predict(const uint8_t *pixels)
{
    float scores[CLASSES];
    int best = 0;
    network_scores(pixels, scores);
    for (int o = 1; o < CLASSES; o++)
        if (scores[o] > scores[best])
            best = o;
    return best;
}

#ifdef NETWORK_MAIN
{% include "main.c" %}

#endif
{% if header %}

#endif
{% endif %}
