"""HEIC files of the picture `tests.pictures.scene()`, as no library of this project writes HEIC.

Made once with pillow-heif 1.8.1 (x265), quality 90, 4:4:4, and kept as base 85 text.
"""

from base64 import b85decode

#: 8 bits, RGB.
PLAIN = b85decode(
    "0000SW^{RQXk}@500000ZE0pPXk}@5ZE0a<0004gZDn*}000000000XXk=`10000000000aA{+700000000000000000000B57=I"
    "V*mgE07O6l0RRC200001q5uH^0000000OcA001LtX>Mi!000000RR916=`l}WdZ;I000310BCk&F#rGn01j|zbZr0t000010002~"
    "X>f9I0002qX>en20001YXm(>m0R#vD005pi000009`FGC|M>U-01pFT0096OKmiN^|NjIC00093o;Uyi0{{RXx&lC90096hLID8;"
    "2mk;B0G>Di00RI39*_hOAhO+Dl-D-_4F&`N00RJI000931R!Dn0RRX@0l{+^FbI$U000wXZ)|dIV{CW;0RRmE27mwn02FC+aAg1h"
    "0000006+i$06+i$04QT@VQ>Hd06+i$0096105AXm009610000000RI2|L_0+00IC201$9#cxeCt0009B2nYZG02pa-ZD9Za00000"
    "009621%Uzs1%v<q0=jKvVRQfh0<I_luLd~jazW8C;|u2J|NkL>W$ysSZE;TOI+M+Z`qZWsifiH;oVMACyVUsir&lv!&ca}p%8SD4"
    "-7pvNtA;6s>Y+>w`n<VJAla)oG0WM1T5Fy$gIYmznA1hDttNI5`M=LaSKd2&;{T^*8bo7g+34NmD<$zL$JJ$89?+siQx&sAjS5J*"
    "YRP)5_MfD`F+Yx_X4b7p(OP2u?3z1p1Ac^l50hyzs9Eq{>V&wki*bkmEUq1ROWx&_^?)hFU^jib_%_aDp#lliA5GuGtgNYF=>{=7"
    "?czd^#$?!3Q6IG#uOxZyQDtt%|AC{SuLG5UqutUgK8}gNdS~PL=9~{5X!K-Iv&#S|3%2r)-aad~EXA3z_9(MNq7ygch619$mW*4B"
    "!%b*eogB?VG7J@R?k5Na4brr&IV@fy{*-^`4`}<Opn}hT$Mq8#Jz)bfehrjGmQ-!c#_T|i&Fj_0<(`w*c%73ZdW8p$lU2_l?pUAA"
    "^}<e>YA1_@xf*SHw_e9*`(GsSy;gfB<0>7$rZR~Lw}L1@@uPpmW*!&n`miP4B>W$OVaPJ+Et(IvQHWgQV7Q+r+xSoF|6^kPs+8dp"
    "ySLp?=*vJo$NCYUpdfW)y>vWV!C(w02t<T}uO$#%TS{}iU)?wDX}DeY3Y`hKKQe^Jq6V;#TSpYH!oT=20%TuC^<i&qkCm4;nUXk$"
    "W(~%}^(WgN#C5EiQYZru6^~)GN)ABjy3SD1V^n!lS1h$tAqTl)bH$}z9dRb#=Et}8H}Lr^6MdhtDt6o3s3;QVZp=1O8ZEtkON-33"
    "U>zEop)Jd~uRV&4Is`u}Q8<p#odCc6NBjTuCjW+O=vUefGE*oKiPjw0{k*8aY3;7%eB;3wcd0OSY@JPtC5oTm"
)

#: 8 bits, transparent in rows and columns 20 to 29.
ALPHA = b85decode(
    "0000SW^{RQXk}@500000ZE0pPXk}@5ZE0a<0007PZDn*}000000000XXk=`10000000000aA{+700000000000000000000G-+&a"
    "V*mgE07O6l0ssL300002kN^Py0000000OcA0ssI200lw-0RR9100000k^lezIB98aW&i*H00062000$fZf0cy000000RRAKc4ILB"
    "0000LX>Mj^0ssI200IC2Xm(>U000004sdC7Z2$lO0003100FCMaB^?}00Dz(aAR)(004Jrc4I>U1PA~C0G>Di0000U@BsY(`1k+-"
    "4+CHT0RR_30Sp2E{{#pC00RJ?H~;_x0017k0zhE^0RSpO0RaRE00093o;Uyi0{{RXkOUAQvfW&i*EazT1_S^A0{~<I00RI7AYuRk"
    "00=|@!E+ce2#^2(025<xY;ta6Y<K_x01W^JfB*mh6lrsCWdHyG00000KmY&$KmY&$C}V74Z~y=RKmY&$0RR91FaQ7m0RR9100000"
    "0{{R2@Bjb+0ssI25O8UDX#fBK00RgJ2mk;8aA<a8LjeQ`0001=_y7O^03PrF{QUU%000jIU;qIC7eE0F0ssF52mk;B0H62(00RI3"
    "9=ZZRVE_RDB|-rK1PA~C0|1}+0009303N`C1QuJXlA7kgfB*mtfB*mk0EA)y0RRR>0l{;?i2wiq4sdCBX#fBK009U9001Xpb$CMn"
    "0001Wa&9_paAjvYXk~U|Ix;XZH9BE+cxhxhF#rGn03c~_ZD9Za0000000IC31%Uzs1%v<s1%?9$h=c$D02*m>Wo7^X0000001jbw"
    "cx(Uy009620009_ZDe6|00086C;_hqIO%dh(J|u-=I8(aA%A7>0LE=`PU<?7&4>EbrWJ~7;u@T`*@?T<`1hw*GhxocV3x{@!s^{H"
    "7xAlxDTV5xObq(GxlAD0t2Z&r*?(GVo-u=3L35bXMX;?Vb`bf$&qY_>JA2~)r)3&MV`$mv-Q+7J@hHdDWm+E4qD4~`vqOyvNV;mt"
    "daL%Iq`xsgj-_VStw_;YV*c!!J8%Pjgnkc`X)&l-@LuYKxUh?HhyX0E9e7LL<&^b+Da2qmeY*HI&Saqi3Dh4=-@~k|sbT2`F+1(z"
    "LXgH}*i=y;wHdD@dG1kVZpQzCqoJ<@m4Kt&(kniWiNJbi<N4;C4;^UqWKgrq04NK#@{is=E4D1fnX&dLvqYj3H{*r^qQ91mTa3d^"
    "Xjz>c%|bE^6>{z;2nG$(w5>TTUL*dLf9DTq`=p?P&wt1D6B#{W12TRMltq?QZOz8)K#k4o)y3tWlh=5ilO%eD2ac0f&mrzupUw5c"
    "PMK;ai-oxwZF;v}$7lOrB=NmgdnV&59lxeBi3qoXC_wR}f5m1V7wY=3CEX<aAA(`XGU+Xv54TZ>T;pK4pC{Y+PwM|;V*RR=;S#&I"
    "-B9SuKt0F$5uczSbz{ABJX^tF3?~Rggo3Xn5L{bIbG={PH|=S-UH1x|3AjHpgvX)=u#j6v6tBX+_%Q-xUq<y|Z*7m2mo}M_IEH2o"
    "#>4d|+aAPqteR3N0}vIDVYEsPK<T>9P|;&lc~e&`wNoJnxngt0rCuFzCg0}AxAr&i`79HCpRp=-+uNup66S8qHc=Way?#rJ%(P$~"
    "8k(Uk%ek*Tii|o0KPyo<j?tX}zx_x1|MVvRhHL0o+72>PC=rR)9N7K5sK9CMuH}5=!5DX`Fm-I5O^PLopWpxh0FEdDt_*N=>6ZV4"
    "gb8%Q^n}m<VRU%mT*1gfuP=y3u;LO*!pg$%hQ}{3MnXCB%)fxQ^_#mI01mgqo_<gkr#&@UYt%$UKdC;n2FsufzjAz;XNNizCn64a"
    "%~r#}YYD-C;q5~}l=g(&Qrs%8d-SoWt@~ezhra<k3~29wD|7y~8lWHrsL#FFb0+pj"
)

#: 10 bits, RGB.
TEN_BITS = b85decode(
    "0000SW^{RQXk}@500000ZE0pPXk}@5ZE0a<0004fZDn*}000000000XXk=`10000000000aA{+700000000000000000000B57=I"
    "V*mgE07O6l0RRC200001p#T8@0000000FZA001LtX>Mi!000000RR916=`l}WdZ;I000310BCk&F#rGn01j|zbZr0t000010002}"
    "X>f9I0002pX>en20001XXm(>m0R#vD005jg000009`FGC|N8m>01pFT0096OKmiN^|NjIC00093oHzgg0{{RXx&lC90096gLID8;"
    "2mk;B0Gv1g00RI39*_hOAe$}K$xU-`5YS*i000I+00093LSg^`00=|@!E+ce2#^2(025<xY;ta6Y<K_x01W^JfB*mh6lrsCWdHyG"
    "00000KmY&$KmY&$C}V74Z~y=RKmY&$0RR91FaQ7m0RR91000000{{R2@Bjb+0ssI25O8UDX#fBK00RmN3IG5A7-?{AVE_OC00000"
    "0RRC7fdT^sga7~myKQ7)bN~PWuP6bp1~|JKWd_%U^K<|Ik^i#yiUN~wN!9eM_1u4VQHPNk3o8B6aH2Kp1&7|<E_4FS?kS^0&?5uZ"
    "ER<!KO0(N3iSw=St5&+~YF!{B|4k$Cw1Vd`rte^qD;^)cg|$>S;(L4I|E7>eV2o`YEygyRjCdrDsQ5S@+!*&kGWm&U3O%o|U{=R#"
    "p{6j33@WR=<7E~e!7j{(1D+0@LoU$n_o~*eX$V4Dm`5~SQCGdV%i%R8v%pB5Hy^1H^6`@HgBi-Mgjtf~D{Tqq=k~0B1N@Kti~m0V"
    "?Ob+P2c=bYit|!@CUA(af4XOS1E$Pd-vsrynwx4yq(pzj0z!83(B5BU?qxM&d$@i@Bc_yqd)99G|J7^o|JOMVXeQpU|0R5x<yC*G"
    "ttjJ>BDBlC)WPo&8q7Vg9campL_K4gefc9cH@98xujZ7+o(|vg&-mW^*dE&2^wD;LiwGupdj)YG7Q0$>YXUF*t6G$8CU9uDL)YQi"
    "Cu_H79FLeZKi9%kZ%@POxq#f!MhTlf*=R%4?#r=!QM&lXNK^TARi3p*FG`l5k>9uQ"
)

#: Stored turned: the container says that it must be turned by 90 degrees clockwise to be seen, and EXIF says so too.
TURNED = b85decode(
    "0000SW^{RQXk}@500000ZE0pPXk}@5ZE0a<0005WZDn*}000000000XXk=`10000000000aA{+700000000000000000000G-+&a"
    "V*mgE07O6l0ssL300001?EnD)0000000OcA0ssI200f@^0RR9100000HUIzsIB98aW&i*H00062000$fZf0cy000000RRAKc4ILB"
    "0000LX>Mj^0ssI300IC2MR;ju000004sdC7Z2$lO00031009VTaB^?}008G{aAR)(004Jrc4I>U1PA~C0G>Di0000U@BsY(`1k+-"
    "4+CHT0RR_30Sp2E{{#pC00RJ?H~;_x0017k0zhE^0RSpO0RaRE00093o;Uyi0{{RXkOUAQvfW&i*EazT1_S^A0{~<I00RI7AYuRk"
    "00=|@!E+ce2#^2(025<xY;ta6Y<K_x01W^JfB*mh6lrsCWdHyG00000KmY&$KmY&$C}V74Z~y=RKmY&$0RR91FaQ7m0RR9100000"
    "0{{R2@Bjb+0ssI25O8UDX#fBK00RgJ2mk;832Aa~bOQhY02yg;ZD9Za000000096227v+t1%!qG000_ka%E-!00000000hSWOHKx"
    "0ssL30RR93@NHyabN~PXt|$So1~}<*LD4be3+Ctl{~>>6?*PVaaZc(wlg)?v)TR}RYvLN5w%Lih)cE(OS2JPG!eExli^A&NFc<Nw"
    "hAD;Wp-c?=ytzyu*{e4(%h`WgYo0NKT0wJ|(?zhYCUy|{zt2Ti-aC8Z|EFadL}O^#=-uQiCGjZ7)n!^9(4s|C6|+N)3P`$Y$$G2y"
    "pQOJrKaQnl)~!g<T4Mg}nmcd<euRDxlW8%iS@2%!gt)Maafkpct{r$w-sP0_fGNaaH+{PJHqK<B0twU~P2a<;tf^t?1~EJB;zE$d"
    "WY|<uAGH~;Bzf*pWp2j*fuo_X1C@ZI-O?*Qj)}l}XXE+ioDUsn^kh)8%K#_~w(^hOJ}b5?#hJ18D6>SO6F1|A0;0c`j9ZMuO=wx2"
    "9L+*93>9+jCkO@&(zLBPEM6o2lz-<BX#1p~g3o`)^%EIAVFNOL4U|QeRBg@1>_Cmp>(#~Oo|D&jos%Sbg$It4RnH;rSf9=H!cLiL"
    "CyRx-8f|*FUdLzqUnKFpR(mGnDjmP3GKmPcf+#@oqkqL_9vABRuqE9j{2zj0$TI0Inh&>8h+N}fxSuE6_)qHpV`BZPl;IM)x7|?a"
    "%RoKH`VpU?Aa!HCbUa(ZU<@Y+M1+E`B@kR&N^`wm-8b!NxLx-Ooe8)<GK9yX2C$G@M-;EZzxXi%WM4-0VQ+1Zm6tY|k~oHD4aURu"
    "C)*yxb*!3FC<71`k72Y*4nXO;&QQ@~RC!ZZEVWZ12f1Q%#id>yaVFp9$G7%3@cAqgeV?%^cH7&iC=%vw%r;RPExmqAi_ElO9U7XU"
    "Ez7yDJ&KGv1V1ZLIF8Ys0Kff5`~UPN|AuSmSK1CTQz#LM)*RUVyr{rw?XKl~<G~nrsW5eHolS}*il5*B000I>cxh$;08LE*DgXcg"
    "2mk^B4*&uH000I6001Td5&#1L000311^@s60000@VQXb_00"
)
