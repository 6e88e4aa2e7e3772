{% if uses("conv2d", "dense") %}
/* Fill y[o * stride] = bias[o] + sum over k of x[k] * weight[o, k]. Four outputs at a time read x once. */
static void products(const float *x, int K, const float *weight, const float *bias, int outputs, float *y, int stride)
{
    for (; outputs >= 4; outputs -= 4, weight += 4 * K, bias += 4, y += 4 * stride) {
        float a = bias[0], b = bias[1], c = bias[2], d = bias[3];
        for (int k = 0; k < K; k++) {
            a += x[k] * weight[k];
            b += x[k] * weight[k + K];
            c += x[k] * weight[k + 2 * K];
            d += x[k] * weight[k + 3 * K];
        }
        y[0] = a;
        y[stride] = b;
        y[2 * stride] = c;
        y[3 * stride] = d;
    }
    for (; outputs > 0; outputs--, weight += K, bias++, y += stride) {
        *y = *bias;
        for (int k = 0; k < K; k++)
            *y += x[k] * weight[k];
    }
}

{% endif %}
{% if uses("dense") %}
static void dense(const float *x, int K, float *y, int outputs, const float *weight, const float *bias)
{
    products(x, K, weight, bias, outputs, y, 1);
}

{% endif %}
{% if uses("conv2d") %}
/* y[o, i, j] = bias[o] + sum over c, p, q of x[c, i * stride + p - top, j * stride + q - left] * weight[o, c, p, q] */
static void conv2d(const float *x, Shape in, float *y, Shape out, Window w, float *values,
                   const float *weight, const float *bias)
{
    for (int i = 0; i < out.H; i++)
        for (int j = 0; j < out.W; j++) {
            gather(x, in, w, i, j, values);
            products(values, in.C * w.P * w.Q, weight, bias, out.C, y + i * out.W + j, out.H * out.W);
        }
}

{% endif %}
{% if uses("avgpool2d") %}
static void avgpool2d(const float *x, Shape in, float *y, Shape out, Window w)
{
    for (int c = 0; c < out.C; c++)
        for (int i = 0; i < out.H; i++)
            for (int j = 0; j < out.W; j++) {
                const float *first = x + (c * in.H + i * w.stride) * in.W + j * w.stride;
                float sum = 0;
                for (int p = 0; p < w.P; p++)
                    for (int q = 0; q < w.Q; q++)
                        sum += first[p * in.W + q];
                *y++ = sum / (float)(w.P * w.Q);
            }
}

{% endif %}
{% if uses("scale") %}
/* Batch normalization, as a function of each channel */
static void scale(const float *x, float *y, Shape out, const float *gain, const float *offset)
{
    for (int c = 0; c < out.C; c++)
        for (int s = 0; s < out.H * out.W; s++, x++, y++)
            *y = gain[c] * *x + offset[c];
}

{% endif %}
{% if uses("lrn") %}
/* Divide by (k + alpha * the sum of the squares in the neighboring channels) ** beta */
static void lrn(const float *x, float *y, Shape out, int reach, float alpha, float beta, float k)
{
    const int S = out.H * out.W;
    for (int c = 0; c < out.C; c++)
        for (int s = 0; s < S; s++) {
            float sum = 0;
            for (int d = c - reach; d <= c + reach; d++)
                if (d >= 0 && d < out.C)
                    sum += x[d * S + s] * x[d * S + s];
            y[c * S + s] = x[c * S + s] / powf(k + alpha * sum, beta);
        }
}

{% endif %}
{% if uses("add") %}
static void add(const float *x, const float *other, float *y, int count)
{
    for (int k = 0; k < count; k++)
        y[k] = x[k] + other[k];
}

{% endif %}
{% if uses("sigmoid", "gelu", "silu") %}
static float sigmoid_of(float x)
{
    return 1 / (1 + expf(-x));
}

{% endif %}
{% macro elementwise(kind, formula, parameter="") %}
{% if uses(kind) %}
static void apply_{{ kind }}(const float *x, float *y, int count{{ parameter }})
{
    for (int k = 0; k < count; k++)
        y[k] = {{ formula }};
}

{% endif %}
{% endmacro %}
{{ elementwise("leaky_relu", "x[k] > 0 ? x[k] : slope * x[k]", ", float slope") }}
{{- elementwise("sigmoid", "sigmoid_of(x[k])") }}
{{- elementwise("tanh", "tanhf(x[k])") }}
{{- elementwise("gelu", "x[k] * sigmoid_of(1.5957691f * (x[k] + 0.044715f * x[k] * x[k] * x[k]))") }}
{{- elementwise("silu", "x[k] * sigmoid_of(x[k])") }}
