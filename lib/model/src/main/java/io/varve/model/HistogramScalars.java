package io.varve.model;

/** Zero count, count and sum of a running sum of histograms with what rounding took from them. */
final class HistogramScalars {
    double zeroCount;
    double zeroLost;
    double count;
    double countLost;
    double sum;
    double sumLost;

    void set(FloatHistogram h) {
        zeroCount = h.zeroCount();
        count = h.count();
        sum = h.sum();
        zeroLost = 0;
        countLost = 0;
        sumLost = 0;
    }

    void set(HistogramScalars other) {
        zeroCount = other.zeroCount;
        zeroLost = other.zeroLost;
        count = other.count;
        countLost = other.countLost;
        sum = other.sum;
        sumLost = other.sumLost;
    }

    void add(double zeroInc, double countInc, double sumInc) {
        double z = zeroCount + zeroInc;
        zeroLost = lost(zeroLost, zeroCount, zeroInc, z);
        zeroCount = z;
        double c = count + countInc;
        countLost = lost(countLost, count, countInc, c);
        count = c;
        double s = sum + sumInc;
        sumLost = lost(sumLost, sum, sumInc, s);
        sum = s;
    }

    void scale(double factor) {
        zeroCount *= factor;
        zeroLost *= factor;
        count *= factor;
        countLost *= factor;
        sum *= factor;
        sumLost *= factor;
    }

    double zeroCount() {
        return total(zeroCount, zeroLost);
    }

    double count() {
        return total(count, countLost);
    }

    double sum() {
        return total(sum, sumLost);
    }

    /** What is lost in all once {@code inc} was added to {@code s} and that came to {@code t} (Kahan, Neumaier). */
    static double lost(double before, double s, double inc, double t) {
        if (Double.isInfinite(t)) {
            return 0;
        }
        return before + (Math.abs(s) >= Math.abs(inc) ? s - t + inc : inc - t + s);
    }

    static double total(double value, double lost) {
        return Double.isInfinite(value) ? value : value + lost;
    }
}
