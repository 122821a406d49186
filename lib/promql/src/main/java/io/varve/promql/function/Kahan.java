package io.varve.promql.function;

/** A sum that carries its rounding error along (Kahan, Neumaier); the error is dropped once the sum is infinite. */
final class Kahan {
    double sum;
    double lost;

    void reset(double s, double l) {
        sum = s;
        lost = l;
    }

    void add(double inc) {
        double t = sum + inc;
        if (Double.isInfinite(t)) {
            lost = 0;
        } else if (Math.abs(sum) >= Math.abs(inc)) {
            lost += sum - t + inc;
        } else {
            lost += inc - t + sum;
        }
        sum = t;
    }

    double total() {
        return sum + lost;
    }
}
