/* A number is an integer from -127 to 127 times a scale, which each array has and each output of a layer's weights. */

{% if uses("conv2d", "dense", "avgpool2d", "scale", "lrn", "add") %}
static int8_t quantized(float value)
{
    if (value >= 127)
        return 127;
    if (value <= -127)
        return -127;
    return (int8_t)(value < 0 ? value - 0.5f : value + 0.5f);
}

{% endif %}
{% if uses("conv2d", "dense", "scores") %}
/* Return bias + sum over k of x[k] * weight[k]. */
static int32_t product(const int8_t *x, int K, const int8_t *weight, int32_t bias)
{
    for (int k = 0; k < K; k++)
        bias += (int32_t)x[k] * weight[k];
    return bias;
}

{% endif %}
{% if uses("conv2d") %}
/* y[o, i, j] = bias[o] + sum over c, p, q of x[c, i * stride + p - top, j * stride + q - left] * weight[o, c, p, q] */
static void conv2d(const int8_t *x, Shape in, int8_t *y, Shape out, Window w, int8_t *values, const int8_t *weight,
                   const int32_t *bias, const float *scale)
{
    const int K = in.C * w.P * w.Q, S = out.H * out.W;
    for (int i = 0; i < out.H; i++)
        for (int j = 0; j < out.W; j++) {
            gather(x, in, w, i, j, values);
            for (int o = 0; o < out.C; o++)
                y[o * S + i * out.W + j] = quantized(scale[o] * (float)product(values, K, weight + o * K, bias[o]));
        }
}

{% endif %}
{% if uses("dense") %}
static void dense(const int8_t *x, int K, int8_t *y, int outputs, const int8_t *weight, const int32_t *bias,
                  const float *scale)
{
    for (int o = 0; o < outputs; o++)
        y[o] = quantized(scale[o] * (float)product(x, K, weight + o * K, bias[o]));
}

{% endif %}
{% if uses("scores") %}
/* The last dense layer, whose outputs need not be quantized */
static void dense_scores(const int8_t *x, int K, float *scores, int outputs, const int8_t *weight, const int32_t *bias,
                         const float *scale)
{
    for (int o = 0; o < outputs; o++)
        scores[o] = scale[o] * (float)product(x, K, weight + o * K, bias[o]);
}

{% endif %}
{% if uses("dequantize") %}
static void dequantize(const int8_t *x, float *scores, int count, float scale)
{
    for (int k = 0; k < count; k++)
        scores[k] = scale * (float)x[k];
}

{% endif %}
{% if uses("avgpool2d") %}
static void avgpool2d(const int8_t *x, Shape in, int8_t *y, Shape out, Window w, float factor)
{
    for (int c = 0; c < out.C; c++)
        for (int i = 0; i < out.H; i++)
            for (int j = 0; j < out.W; j++) {
                const int8_t *first = x + (c * in.H + i * w.stride) * in.W + j * w.stride;
                int32_t sum = 0;
                for (int p = 0; p < w.P; p++)
                    for (int q = 0; q < w.Q; q++)
                        sum += first[p * in.W + q];
                *y++ = quantized(factor * (float)sum);
            }
}

{% endif %}
{% if uses("scale") %}
/* Batch normalization, as a function of each channel */
static void scale(const int8_t *x, int8_t *y, Shape out, const float *gain, const float *offset)
{
    for (int c = 0; c < out.C; c++)
        for (int s = 0; s < out.H * out.W; s++, x++, y++)
            *y = quantized(gain[c] * (float)*x + offset[c]);
}

{% endif %}
{% if uses("lrn") %}
/* Divide by (k + alpha * the sum of the squares in the neighboring channels) ** beta, where k and alpha are of integers */
static void lrn(const int8_t *x, int8_t *y, Shape out, int reach, float alpha, float beta, float k)
{
    const int S = out.H * out.W;
    for (int c = 0; c < out.C; c++)
        for (int s = 0; s < S; s++) {
            int32_t sum = 0;
            for (int d = c - reach; d <= c + reach; d++)
                if (d >= 0 && d < out.C)
                    sum += (int32_t)x[d * S + s] * x[d * S + s];
            y[c * S + s] = quantized((float)x[c * S + s] / powf(k + alpha * (float)sum, beta));
        }
}

{% endif %}
{% if uses("add") %}
static void add(const int8_t *x, float factor, const int8_t *other, float other_factor, int8_t *y, int count)
{
    for (int k = 0; k < count; k++)
        y[k] = quantized(factor * (float)x[k] + other_factor * (float)other[k]);
}

{% endif %}
{% if uses("lookup") %}
/* An activation function: its value for each integer from -127 on */
static void lookup(const int8_t *x, int8_t *y, int count, const int8_t *values)
{
    for (int k = 0; k < count; k++)
        y[k] = values[x[k] + 127];
}

{% endif %}
